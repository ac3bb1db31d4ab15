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
	e.noteUnfinished()
	found, err := e.probeNow(ctx)
	if err != nil || holdAll(found) {
		return found, err
	}
	// A change under way looks like damage. Under the lock there is none.
	unlock, err := e.take(ctx, "cnet check")
	if err != nil {
		return nil, err
	}
	defer unlock()
	return e.probeNow(ctx)
}

func (e *Engine) probeNow(ctx context.Context) ([]Finding, error) {
	t, err := e.Topology()
	if err != nil {
		return nil, err
	}
	ctx, done := e.session(ctx)
	defer done()
	return probeAll(ctx, topology.Compile(t)), ctx.Err()
}

func holdAll(found []Finding) bool {
	for _, f := range found {
		if f.Err != nil || f.Truth.State != fact.Holds {
			return false
		}
	}
	return true
}

func probeAll(ctx context.Context, c topology.Compiled) []Finding {
	list := make([]Finding, 0, len(c.Facts))
	for _, f := range c.Facts {
		t, err := f.Probe(ctx)
		list = append(list, Finding{Owner: c.Owner[f.Key()], Fact: f, Truth: t, Err: err})
	}
	return list
}
