package engine

import (
	"context"

	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/bridge"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
	"github.com/cnetlab/cnet/pkg/veth"
)

// Reset takes everything back: first all that the ledger knows of, then
// whatever else in the kernel carries cnet's mark, left by a lost ledger.
func (e *Engine) Reset(ctx context.Context, dry bool) (Change, error) {
	ctx, s, done, err := e.open(ctx, "reset", dry)
	if err != nil {
		return Change{}, err
	}
	defer done()
	c := Change{Before: s.topo}
	if c.Plan, err = e.relied(ctx, fact.Diff(s.made, nil)); err != nil || dry {
		return c, err
	}
	if err := e.carryOut(ctx, "reset", s, c); err != nil {
		return c, err
	}
	return e.sweep(ctx, c)
}

// sweep breaks what carries cnet's mark though nothing is wanted any more.
func (e *Engine) sweep(ctx context.Context, c Change) (Change, error) {
	var stray []fact.Fact
	for _, owned := range []func(context.Context) ([]fact.Fact, error){bridge.Owned, veth.Owned, nat.Owned} {
		facts, err := owned(ctx)
		if err != nil {
			return c, err
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
