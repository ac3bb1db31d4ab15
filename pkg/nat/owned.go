package nat

import (
	"context"
	"errors"
	"os/exec"
	"sort"
	"strings"

	"github.com/cnetlab/cnet/pkg/fact"
)

// Owned returns what of cnet's stands in the host's tables, remembered or not:
// the table inet cnet of nf_tables, as a [Hook]; of iptables the chains whose name
// begins with CNET-, then the jumps to them, as facts of the kind [Rule]. Broken
// in reverse order nothing of cnet's is left. It only reads; a family whose
// commands are absent has nothing.
func Owned(ctx context.Context) ([]fact.Fact, error) {
	facts, err := ownedNft(ctx)
	if err != nil {
		return nil, err
	}
	for _, ipv6 := range []bool{false, true} {
		snap, err := look(ctx, ipv6)
		if errors.Is(err, exec.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, r := range snap.owned(On{Backend: Iptables, IPv6: ipv6}, false) {
			r.Reason = "It was left behind: nothing remembers it."
			facts = append(facts, r)
		}
	}
	return facts, nil
}

// owned are cnet's chains, the jumps to them and, if asked for, their rules.
func (s snapshot) owned(on On, inside bool) []Rule {
	var chains, jumps []Rule
	for table, content := range s.tables {
		for chain, rules := range content {
			if ours(chain) {
				chains = append(chains, on.chain(table, chain))
			}
			for _, r := range rules {
				if ours(r.target()) || inside && ours(chain) {
					jumps = append(jumps, r)
				}
			}
		}
	}
	sortByKey(chains)
	sortByKey(jumps)
	return append(chains, jumps...)
}

// leading are the rules of cnet's own chains that lead to chains which go, and are
// none of the rules that go with them: of a change that was cut off, what came in
// the place of what goes may stand already.
func (s snapshot) leading(gone []Rule) (rules []Rule) {
	going, _ := idsOf(gone)
	for _, chain := range gone {
		if !chain.isChain() {
			continue
		}
		for name, list := range s.tables[chain.Table] {
			for _, r := range list {
				if ours(name) && r.target() == chain.Chain && !going[r.id()] {
					rules = append(rules, r)
				}
			}
		}
	}
	return rules
}

func ours(chain string) bool { return strings.HasPrefix(chain, "CNET-") }

// target is the word after -j or -g.
func (r Rule) target() string {
	for i, w := range r.Args[:max(len(r.Args)-1, 0)] {
		if w == "-j" || w == "-g" {
			return r.Args[i+1]
		}
	}
	return ""
}

func sortByKey(rules []Rule) {
	sort.Slice(rules, func(i, j int) bool { return rules[i].Key().Name < rules[j].Key().Name })
}
