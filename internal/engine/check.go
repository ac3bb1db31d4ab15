package engine

import (
	"context"

	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/fact"
)

// Finding is a fact and what the kernel says of it.
type Finding struct {
	Owner string
	Fact  fact.Fact
	Truth fact.Truth
	Err   error // the kernel could not be asked
}

// Check looks at every fact that the topology wants, in order.
func (e *Engine) Check(ctx context.Context) ([]Finding, error) {
	if err := permitted("check", "looking into the containers"); err != nil {
		return nil, err
	}
	ctx, s, done, err := e.open(ctx, "", true)
	if err != nil {
		return nil, err
	}
	defer done()
	return probeAll(ctx, topology.Compile(s.topo)), ctx.Err()
}

func probeAll(ctx context.Context, c topology.Compiled) []Finding {
	list := make([]Finding, 0, len(c.Facts))
	for _, f := range c.Facts {
		t, err := f.Probe(ctx)
		list = append(list, Finding{Owner: c.Owner[f.Key()], Fact: f, Truth: t, Err: err})
	}
	return list
}

// Repair makes true what the topology wants and the kernel has not.
func (e *Engine) Repair(ctx context.Context, dry bool) (Change, error) {
	ctx, s, done, err := e.open(ctx, "repair", dry)
	if err != nil {
		return Change{}, err
	}
	defer done()
	c := Change{Before: s.topo, After: s.topo}
	wanted := topology.Compile(s.topo)
	holds, differs := e.standing(ctx, s, wanted)
	holds = append(holds, unwanted(s.made, wanted)...)
	c.Plan = fact.Diff(holds, wanted.Facts, differs...)
	if err := feasible(c.Plan); err != nil {
		return c, err
	}
	if dry {
		c.Plan.Steps = foreseen(ctx, c.Plan.Steps)
		return c, nil
	}
	s.made = holds
	return c, e.carryOut(ctx, "repair", s, c)
}

// standing returns the facts whose things are there, and the keys of those that
// are not as they should be. What the ledger remembers is kept.
func (e *Engine) standing(ctx context.Context, s state, wanted topology.Compiled) (there []fact.Fact, differs []fact.Key) {
	made := make(map[fact.Key]fact.Fact, len(s.made))
	for _, f := range s.made {
		made[f.Key()] = f
	}
	for _, found := range probeAll(ctx, wanted) {
		k := found.Fact.Key()
		if found.Err != nil || found.Truth.State == fact.Absent {
			continue
		}
		f := found.Fact
		if m, ok := made[k]; ok {
			f = m
		}
		there = append(there, f)
		if found.Truth.State == fact.Differs {
			differs = append(differs, k)
		}
	}
	return there, differs
}

// unwanted are the facts of the ledger that the topology does not want: of an
// object whose file was lost.
func unwanted(made []fact.Fact, wanted topology.Compiled) []fact.Fact {
	var list []fact.Fact
	for _, f := range made {
		if wanted.Owner[f.Key()] == "" {
			list = append(list, f)
		}
	}
	return list
}
