package engine

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/bridge"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/cnetlab/cnet/pkg/veth"
)

// Reset takes everything back: first all that the ledger knows of, then what
// else stands of the topology or carries cnet's mark in the kernel. Nothing that
// cnet's files say can keep it from that.
func (e *Engine) Reset(ctx context.Context, dry bool) (Change, error) {
	ctx = e.pointed(ctx)
	if !dry {
		unlock, err := e.take(ctx, "reset")
		if err != nil {
			return Change{}, err
		}
		defer unlock()
		if err := e.restore(); err != nil {
			e.note(err.Error())
		}
		if err := e.recover(ctx); err != nil {
			e.note(fmt.Sprintf("a change that was cut off is dropped: %v", err))
			if err := e.Store.End(); err != nil {
				return Change{}, err
			}
		}
	}
	ctx, done := e.session(ctx)
	defer done()
	s, err := e.load()
	if err != nil {
		e.note(err.Error())
		s = e.ledgerAlone()
	}
	s.made = e.lost(ctx, s)
	c := Change{Before: s.topo}
	if c.Plan, err = e.relied(ctx, fact.Diff(s.made, nil)); err != nil {
		return c, explainFailure("reset", err)
	}
	if dry {
		return c, nil
	}
	if err := e.carryOut(ctx, "reset", s, c); err != nil {
		return c, err
	}
	if c, err = e.sweep(ctx, c); err != nil {
		return c, err
	}
	return c, e.forget()
}

// ledgerAlone is the state as far as the ledger tells it, in an order in which it
// can be broken: containers before networks before what they share.
func (e *Engine) ledgerAlone() state {
	s, err := e.ledger(nil)
	if err != nil {
		e.note(err.Error())
	}
	rank := func(f fact.Fact) int {
		owner, _, _ := strings.Cut(s.owner[f.Key()], " ")
		return map[string]int{topology.HostOwner: 0, "network": 1, "container": 2}[owner]
	}
	sort.SliceStable(s.made, func(i, j int) bool { return rank(s.made[i]) < rank(s.made[j]) })
	return s
}

// lost returns the facts made and, where the ledger does not know all of the
// topology, those that stand without it.
func (e *Engine) lost(ctx context.Context, s state) []fact.Fact {
	wanted := topology.Compile(s.topo)
	if len(s.made) >= len(wanted.Facts) {
		return s.made
	}
	st := standing(s, wanted, probeAll(ctx, wanted))
	return inOrder(append(st.there, s.made...), wanted.Facts)
}

// forget removes what is left of the files: all of them, but for the ledger of
// what others rely on.
func (e *Engine) forget() error {
	s, err := e.load()
	empty := err == nil && len(s.topo.Networks)+len(s.topo.Containers) == 0
	return e.Store.Wipe(empty)
}

// sweep breaks what carries cnet's mark though nothing is wanted any more.
func (e *Engine) sweep(ctx context.Context, c Change) (Change, error) {
	var stray []fact.Fact
	for _, owned := range []func(context.Context) ([]fact.Fact, error){netns.OwnedFiles, netns.Owned, bridge.Owned, veth.Owned, nat.Owned} {
		facts, err := owned(ctx)
		if err != nil {
			return c, explainFailure("reset", err)
		}
		stray = append(stray, facts...)
	}
	rest := Change{After: topology.Topology{}, Plan: fact.Diff(stray, nil)}
	if rest.Plan.Empty() {
		return c, nil
	}
	c.Plan.Steps = append(c.Plan.Steps, rest.Plan.Steps...)
	return c, e.carryOut(ctx, "reset", state{made: stray}, rest)
}
