package engine

import (
	"context"

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
	return e.Repair(ctx, what, dry)
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
	idle, err := idle(ctx, s)
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
func (e *Engine) Idle(ctx context.Context) (bool, error) {
	s, err := e.load()
	if err != nil {
		return false, err
	}
	return idle(ctx, s)
}

// idle asks the ledger and, should it have been lost, whether a link bears cnet's
// mark. What the host shares may be in the ledger still: others rely on it.
func idle(ctx context.Context, s state) (bool, error) {
	if len(s.topo.Networks)+len(s.topo.Containers) == 0 || s.knows() {
		return false, nil
	}
	for _, owned := range []func(context.Context) ([]fact.Fact, error){bridge.Owned, veth.Owned} {
		if links, err := owned(ctx); err != nil || len(links) > 0 {
			return false, err
		}
	}
	return true, nil
}

// knows reports whether the ledger has facts of an object.
func (s state) knows() bool {
	for _, owner := range s.owner {
		if owner != topology.HostOwner {
			return true
		}
	}
	return false
}

// awake refuses to change a part of what is not up: the change would find
// nothing to stand on. A change that touches nothing may be made.
func (e *Engine) awake(ctx context.Context, s state) (err error) {
	if len(s.only) == 0 || s.knows() {
		return nil
	}
	whole, err := e.loadOnly(s.topo, nil)
	if err != nil {
		return err
	}
	if idle, err := idle(ctx, whole); err != nil || !idle {
		return err
	}
	return fail.New(fail.Unmet, "", "nothing is up in this boot").Try("cnet up")
}
