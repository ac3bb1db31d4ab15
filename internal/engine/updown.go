package engine

import (
	"context"
	"errors"
	"reflect"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/bridge"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/veth"
)

// Up makes all that the topology wants, after a reboot or after Down: it is a
// repair of everything. What cannot be made is named, and the rest is made.
func (e *Engine) Up(ctx context.Context, what string, dry bool) (Change, error) {
	t, err := e.Topology()
	if err == nil {
		e.noteLeft(t)
	}
	c, err := e.repair(ctx, task{what: what, dry: dry})
	if err == nil && !dry {
		e.noteObstacles(ctx, c.After.Networks)
	}
	return c, err
}

// noteLeft names the containers whose processes ended with an earlier boot.
func (e *Engine) noteLeft(t topology.Topology) {
	boot, err := bootID()
	if err != nil {
		return
	}
	for _, c := range t.Containers {
		if c.OfProcess() && c.NetnsBoot != "" && c.NetnsBoot != boot {
			e.note("container " + c.Name + " adopted a process of an earlier boot, which is gone; cnet delete " + c.Name +
				", and cnet create " + c.Name + " --pid PID when it runs again")
		}
	}
}

// Down takes out of the kernel all that was made, and keeps the topology: the
// host is as it was before, and Up makes everything again.
func (e *Engine) Down(ctx context.Context, what string, dry bool) (Change, error) {
	ctx, s, done, err := e.openWhole(ctx, what, dry, e.restore)
	if err != nil {
		return Change{}, err
	}
	defer done()
	idle, err := e.Idle(ctx, s.topo)
	if err != nil {
		return Change{}, explainFailure(what, err)
	}
	if !idle {
		s.made = e.lost(ctx, s)
	}
	c := Change{Before: s.topo, After: s.topo}
	if c.Plan, err = e.relied(ctx, fact.Diff(s.made, nil)); err != nil || dry {
		return c, err
	}
	return c, e.carryOut(ctx, what, s, c)
}

// Idle reports whether there is a topology of which nothing was made in this
// boot: the host was rebooted, or Down was called.
func (e *Engine) Idle(ctx context.Context, t topology.Topology) (bool, error) {
	if len(t.Networks)+len(t.Containers) == 0 {
		return false, nil
	}
	begun, err := e.begun()
	if err != nil || begun {
		return false, err
	}
	// Should the ledger have been lost, the links bear cnet's mark.
	for _, owned := range []func(context.Context) ([]fact.Fact, error){bridge.Owned, veth.Owned} {
		if links, err := owned(ctx); err != nil || len(links) > 0 {
			return false, err
		}
	}
	return true, nil
}

// begun reports whether the ledger knows of an object in this boot. What the host
// shares may be in it still: others rely on it.
func (e *Engine) begun() (bool, error) {
	boot, err := bootID()
	if err != nil {
		return false, err
	}
	found := errors.New("found")
	err = e.Store.Ledgers(nil, func(path string, data []byte) error {
		var f ledgerFile
		if err := decode(path, data, &f, &f.Version); err != nil {
			return err
		}
		if f.Boot == boot && f.Owner != topology.HostOwner && len(f.Facts) > 0 {
			return found
		}
		return nil
	})
	if errors.Is(err, found) {
		return true, nil
	}
	return false, err
}

// awake refuses to change a part of what is not up: the change would find
// nothing to stand on. A change that touches nothing may be made.
func (e *Engine) awake(ctx context.Context, s state, c Change) error {
	if len(s.only) == 0 && reflect.DeepEqual(c.Before.Edge, c.After.Edge) {
		return nil
	}
	for _, owner := range s.owner {
		if owner != topology.HostOwner {
			return nil
		}
	}
	if idle, err := e.Idle(ctx, s.topo); err != nil || !idle {
		return err
	}
	return fail.New(fail.Unmet, "", "nothing is up in this boot").Try("cnet up")
}
