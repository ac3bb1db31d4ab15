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
