package nat

import (
	"context"
	"fmt"
	"slices"

	"github.com/cnetlab/cnet/pkg/fact"
)

// probe looks for the rules of a fact: that each stands once, in order, and
// that nobody decides before them.
func (iptablesBackend) probe(ctx context.Context, v value) (fact.Truth, error) {
	snap, err := look(ctx, v.on().IPv6)
	if err != nil {
		return fact.Truth{}, err
	}
	rules := v.iptables()
	var missing, twice []Rule
	for _, r := range rules {
		ok, err := snap.has(r)
		if err != nil {
			return fact.Truth{}, fmt.Errorf("%s: %w", v.Key(), err)
		}
		if !ok {
			missing = append(missing, r)
		}
		if snap.count(r) > 1 {
			twice = append(twice, r)
		}
	}
	switch {
	case len(missing) == len(rules):
		return fact.False(), nil
	case len(missing) > 0:
		return fact.Mendable("missing: %s", missing[0].command()), nil
	case len(twice) > 0:
		return fact.Mendable("more than once: %s", twice[0].command()), nil
	case len(snap.muddled(rules)) > 0:
		return fact.Mendable("%s has %s", snap.muddled(rules)[0].Chain, v.on().muddle()), nil
	}
	for _, r := range rules {
		if winner, ok := snap.winner(r); ok {
			return fact.Mendable("%s stands before it", winner.command()), nil
		}
	}
	return fact.True(), nil
}

// muddle is what is wrong with a chain that has all its rules.
func (o On) muddle() string {
	if o.Netns == "" {
		return "its rules in another order"
	}
	return "rules of others, or its own in another order"
}

// command is the command that adds the rule, or the chain.
func (r Rule) command() fact.Command { return makeLines([]Rule{r})[0].command(r.IPv6) }

// mend leaves one of each rule of a fact, at its place, in one transaction for
// each table. Rules that stand right are not touched.
func (iptablesBackend) mend(ctx context.Context, v value) error {
	defer stale(ctx)
	stale(ctx)
	ipv6 := v.on().IPv6
	snap, err := look(ctx, ipv6)
	if err != nil {
		return err
	}
	list := mendLines(snap, v.iptables())
	if err := restore(ctx, ipv6, list); err != nil {
		return explain(ctx, ipv6, list, err)
	}
	return nil
}

// count is how many of a rule, or of a chain, stand.
func (s snapshot) count(r Rule) int {
	if _, ok := s.tables[r.Table][r.Chain]; ok && r.isChain() {
		return 1
	}
	return s.times[r.id()]
}

// muddled are the chains, as rules, that a fact makes and fills alone, where
// what is in them is not in the order of its rules, or in a container not they alone.
func (s snapshot) muddled(rules []Rule) (chains []Rule) {
	for _, chain := range rules {
		if !chain.isChain() {
			continue
		}
		var want, got [][]string
		for _, r := range rules {
			if !r.isChain() && r.Chain == chain.Chain && r.Table == chain.Table {
				want = append(want, plain(r.Args))
			}
		}
		if len(want) == 0 {
			continue // others fill it
		}
		for _, r := range s.tables[chain.Table][chain.Chain] {
			got = append(got, plain(r.Args))
		}
		if chain.Netns == "" { // in a container's tables nobody looks for strays
			got = slices.DeleteFunc(got, func(g []string) bool {
				return !slices.ContainsFunc(want, func(w []string) bool { return slices.Equal(w, g) })
			})
		}
		if len(got) > 0 && !slices.EqualFunc(want, got, slices.Equal[[]string]) {
			chains = append(chains, chain)
		}
	}
	return chains
}

// without is s where a chain is empty.
func (s snapshot) without(chain Rule) snapshot {
	out := newSnapshot()
	for table, chains := range s.tables {
		out.tables[table] = make(map[string][]Rule)
		for name, rules := range chains {
			out.tables[table][name] = nil
			if table == chain.Table && name == chain.Chain {
				continue
			}
			for _, r := range rules {
				out.add(r)
			}
		}
	}
	return out
}
