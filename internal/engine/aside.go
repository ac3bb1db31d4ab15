package engine

import (
	"context"
	"errors"

	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/fact"
)

// Scene says which facts are to stand for a while, given what cnet's files say.
type Scene func(context.Context, topology.Topology) ([]fact.Fact, error)

// Aside makes the facts of a scene, runs fn, and takes them back, whatever fn
// returns and though ctx may have ended. The lock is held all the while, so that
// nothing else moves. The facts are no part of the topology: if cnet is killed,
// the journal is what is left, and the next command undoes what it names.
func (e *Engine) Aside(ctx context.Context, what string, scene Scene, fn func(context.Context) error) error {
	ctx, s, done, err := e.openWhole(ctx, what, false)
	if err != nil {
		return err
	}
	defer done()
	facts, err := scene(ctx, s.topo)
	if err != nil {
		return explainFailure(what, err)
	}
	plan := fact.Diff(nil, facts)
	if err := errors.Join(feasible(plan), allVacant(ctx, plan)); err != nil {
		return explainFailure(what, err)
	}
	steps, err := remember(ctx, nil, plan.Steps)
	if err != nil {
		return explainFailure(what, err)
	}
	j := journal{What: what, Steps: steps}
	if err := e.prepare(j); err != nil {
		return explainFailure(what, err)
	}
	made, err := e.run(ctx, steps)
	if err != nil {
		return e.rollBack(ctx, s, j, made, err)
	}
	return errors.Join(fn(ctx), e.takeBack(ctx, what, steps))
}

// takeBack undoes what stood aside. What cannot be undone stays in the journal,
// for the next command to try again.
func (e *Engine) takeBack(ctx context.Context, what string, steps []fact.Step) error {
	if err := settleAll(context.WithoutCancel(ctx), fact.Reverse(steps)); err != nil {
		return explainFailure(what, err)
	}
	return e.Store.End()
}
