package engine

import (
	"context"
	"fmt"

	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
)

// Given counts the connections that each backend of a service was given since it
// became one, as the kernel's counters have them.
func (e *Engine) Given(ctx context.Context, service string) (map[string]uint64, error) {
	what := "count the connections to " + service
	if err := permitted(what, "reading the rules"); err != nil {
		return nil, err
	}
	t, err := e.Topology()
	if err != nil {
		return nil, err
	}
	if _, err := t.Service(service); err != nil {
		return nil, err
	}
	var ends []fact.Fact
	for _, f := range topology.CompileOnly(t, topology.Scope{"service " + service: true}).Facts {
		if _, ok := f.(nat.Endpoint); ok {
			ends = append(ends, f)
		}
	}
	counts, err := nat.Counters(ctx, ends)
	if err != nil {
		return nil, explainFailure(what, fmt.Errorf("read the counters: %w", err))
	}
	given := make(map[string]uint64)
	for _, f := range ends {
		given[f.(nat.Endpoint).Container] += counts[f.Key()].Packets
	}
	return given, nil
}
