package nat

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cnetlab/cnet/pkg/fact"
)

// probe looks for the objects of a fact: that each is there, and as it was made.
func (nftBackend) probe(ctx context.Context, v value) (fact.Truth, error) {
	objects, err := nftObjects([]value{v})
	if err != nil {
		return fact.Truth{}, err
	}
	state, err := lookNft(ctx)
	if err != nil {
		return fact.Truth{}, err
	}
	state.alone = v.on().Netns != ""
	var missing []nftObject
	var faults []string
	for _, o := range objects {
		if !state.has(o) {
			missing = append(missing, o)
			continue
		}
		if fault := state.fault(o); errors.Is(fault, errNotInPlace) {
			return fact.Other("%v", fault), nil
		} else if fault != nil {
			faults = append(faults, fault.Error())
		}
	}
	switch {
	case len(missing) == len(objects):
		return fact.False(), nil
	case len(missing) > 0:
		return fact.Mendable("missing: %s", nftCommand(missing[0].addWords())), nil
	case len(faults) > 0:
		return fact.Mendable("%s", faults[0]), nil
	}
	for _, o := range objects {
		if c, ok := o.(nftChain); ok && !state.fills(c, objects) {
			return fact.Mendable("%s has %s", c, v.on().muddle()), nil
		}
	}
	return fact.True(), nil
}

// errNotInPlace is of what can only be broken and made anew.
var errNotInPlace = errors.New("it has another type")

// has reports whether something of that name is there; of a rule, whether the
// rule itself is.
func (s *nftState) has(o nftObject) bool {
	switch o := o.(type) {
	case nftTable:
		return s.table
	case nftChain:
		return s.chains[o.name] != nil
	case nftRule:
		return s.count(o) > 0
	case nftNumbered:
		c := s.chains[o.chain]
		return c != nil && slices.ContainsFunc(c.rules, func(r nftRuleState) bool { return r.handle == o.handle })
	case nftSet:
		return s.sets[o.name] != nil
	case nftElement:
		_, ok := s.element(o)
		return ok
	}
	return false
}

func (s *nftState) element(e nftElement) (nftElementState, bool) {
	set := s.sets[e.set.name]
	if set == nil {
		return nftElementState{}, false
	}
	found, ok := set.elements[e.id()]
	return found, ok
}

// count is how many of a rule stand in its chain.
func (s *nftState) count(r nftRule) (n int) {
	if c := s.chains[r.chain]; c != nil {
		want := r.identity()
		for _, x := range c.rules {
			if x.identity() == want {
				n++
			}
		}
	}
	return n
}

// fault is what is wrong with an object that is there.
func (s *nftState) fault(o nftObject) error {
	switch o := o.(type) {
	case nftTable:
		if s.flags&dormant != 0 {
			return fmt.Errorf("%s is dormant: it does nothing", o)
		}
	case nftChain:
		c := s.chains[o.name]
		if c.spec != o.spec() {
			return fmt.Errorf("%s stands elsewhere", o)
		}
		if c.drops {
			return fmt.Errorf("%s has the policy drop", o)
		}
	case nftRule:
		if s.count(o) > 1 {
			return fmt.Errorf("more than once: %s", nftCommand(o.addWords()))
		}
	case nftSet:
		if s.sets[o.name].spec != o.spec() {
			return fmt.Errorf("%s: %w", o, errNotInPlace)
		}
	case nftElement:
		if found, _ := s.element(o); found.data != o.leads() || found.note != o.note {
			return fmt.Errorf("%s is another than: %s", o, nftCommand(o.addWords()))
		}
	}
	return nil
}

// dormant is the flag NFT_TABLE_F_DORMANT.
const dormant = 1

// fills reports whether the rules among objects stand in a chain, once each and in
// order, whatever else does; or else alone.
func (s *nftState) fills(c nftChain, objects []nftObject) bool {
	var want, got []string
	for _, o := range objects {
		if r, ok := o.(nftRule); ok && r.chain == c.name {
			want = append(want, r.identity())
		}
	}
	for _, r := range s.chains[c.name].rules {
		if s.alone || slices.Contains(want, r.identity()) {
			got = append(got, r.identity())
		}
	}
	return slices.Equal(want, got)
}

func (r nftRule) identity() string { return canonical(r.expressions()) + r.note }

func (r nftRuleState) identity() string { return r.does + r.note }
