package nat

import (
	"context"
	"errors"
	"os/exec"
	"strings"

	"github.com/cnetlab/cnet/pkg/fact"
)

// Stray returns what stands in the host's tables by cnet's name though none of
// the facts wanted renders it: rules in chains whose name begins with CNET-,
// jumps to such chains, and such chains themselves, as facts of the kind [Rule];
// and what is in table inet cnet, as facts of the kind [Found]. Broken in reverse
// order they are gone. It only reads.
func Stray(ctx context.Context, wanted []fact.Fact) ([]fact.Fact, error) {
	facts, err := strayNft(ctx, wanted)
	if err != nil {
		return nil, err
	}
	for _, ipv6 := range []bool{false, true} {
		on := On{Backend: Iptables, IPv6: ipv6}
		snap, err := look(ctx, ipv6)
		if errors.Is(err, exec.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		stray, err := snap.stray(on, rendered(on, wanted))
		if err != nil {
			return nil, err
		}
		facts = append(facts, stray...)
	}
	return facts, nil
}

// rendered are the rules of all facts that stand on the same ground.
func rendered(on On, facts []fact.Fact) (rules []Rule) {
	for _, f := range facts {
		if v, ok := f.(value); ok && v.on() == on {
			rules = append(rules, v.iptables()...)
		}
	}
	return rules
}

func (s snapshot) stray(on On, wanted []Rule) ([]fact.Fact, error) {
	want := make(map[string]bool, len(wanted))
	for _, r := range wanted {
		want[r.id()] = true
	}
	var facts []fact.Fact
	for _, r := range s.owned(on, true) {
		inside := !r.isChain() && ours(r.Chain) && !want[on.chain(r.Table, r.Chain).id()]
		if want[r.id()] || inside {
			continue // what is in a stray chain goes with it
		}
		known, err := s.reworded(r, wanted)
		if err != nil {
			return nil, err
		}
		if !known {
			r.Reason = "It bears cnet's name and decides over packets, and nothing that cnet knows of wants it."
			facts = append(facts, r)
		}
	}
	return facts, nil
}

// reworded reports whether r may be a rule that is wanted, in other words than
// ours: one that iptables says is there though the listing has it not. Then
// nothing can be told for sure of any rule of the chain.
func (s snapshot) reworded(r Rule, wanted []Rule) (bool, error) {
	for _, w := range wanted {
		if r.isChain() || w.Table != r.Table || w.Chain != r.Chain || s.count(w) > 0 {
			continue
		}
		if there, err := s.has(w); there || err != nil {
			return there, err
		}
	}
	return false, nil
}

// id is the rule, however iptables words it.
func (r Rule) id() string {
	return strings.Join(append([]string{r.Table, r.Chain}, plain(r.Args)...), "\x00")
}
