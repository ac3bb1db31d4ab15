package engine

import (
	"bytes"
	"context"
	"time"

	"github.com/cnetlab/cnet/internal/store"
	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/bridge"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/cnetlab/cnet/pkg/route"
	"github.com/cnetlab/cnet/pkg/sysctl"
	"github.com/cnetlab/cnet/pkg/veth"
)

// Engine changes the kernel and cnet's files, one change at a time.
type Engine struct {
	Store    store.Store
	Firewall string        // backend for new networks: iptables, nftables or auto
	Wait     time.Duration // how long to wait for the lock
	Watch    Watcher       // told of each step; may be nil
	// At is told of each point at which a change may be cut off; its error fails
	// the change. For tests; it may be nil.
	At func(point string) error
	// Before is called with the topology that a change leads to, before the kernel is
	// touched; its error refuses the change. It may be nil.
	Before func(context.Context, topology.Topology) error
	codec  fact.Codec
}

// Watcher is told what a change is doing, for people who watch.
type Watcher interface {
	// Start is called with the plan before its first step.
	Start(fact.Plan)
	// Step is called before each step.
	Step(fact.Step)
	// Back is called when a change is taken back, with the failure.
	Back(err error)
	// Note is told of anything else worth a sentence.
	Note(string)
}

// New returns an engine on this host's store.
func New() *Engine {
	return &Engine{Store: store.Default(), Firewall: "auto", Wait: 10 * time.Second, codec: Codec()}
}

// Codec knows every kind of fact.
func Codec() fact.Codec {
	return fact.NewCodec(netns.Kinds(), veth.Kinds(), bridge.Kinds(), route.Kinds(), sysctl.Kinds(), nat.Kinds())
}

// Change is what Change did or, in a dry run, would do.
type Change struct {
	Plan   fact.Plan
	Before topology.Topology
	After  topology.Topology
}

// Mutation changes a topology or refuses to.
type Mutation func(*topology.Topology, topology.Host) error

// Plan returns what a mutation would do. It takes no lock and writes nothing.
func (e *Engine) Plan(ctx context.Context, mutate Mutation) (c Change, err error) {
	ctx, done, err := e.open(ctx, "", true)
	if err != nil {
		return Change{}, err
	}
	defer done()
	err = e.Store.Steady(func() error {
		s, err := e.plan(ctx, mutate, &c)
		c.Plan.Steps = foreseen(ctx, s.made, c.Plan.Steps)
		return err
	})
	return c, err
}

// Change runs a mutation. what are words for the lock and the journal: the command.
func (e *Engine) Change(ctx context.Context, what string, mutate Mutation) (c Change, err error) {
	ctx, done, err := e.open(ctx, what, false)
	if err != nil {
		return Change{}, err
	}
	defer done()
	s, err := e.plan(ctx, mutate, &c)
	if err != nil {
		return c, err
	}
	if e.Before != nil {
		if err := e.Before(ctx, c.After); err != nil {
			return c, err
		}
	}
	if err := e.carryOut(ctx, what, s, c); err != nil {
		return c, err
	}
	e.noteObstacles(ctx, newNetworks(c))
	return c, nil
}

// open takes the lock, unless the run is dry, settles what was cut off, after
// what is to be done first, and begins a session. done ends both.
func (e *Engine) open(ctx context.Context, what string, dry bool, first ...func() error) (_ context.Context, done func(), err error) {
	unlock := func() {}
	ctx = e.pointed(ctx)
	if dry {
		e.noteUnfinished()
	} else {
		if unlock, err = e.take(ctx, what); err != nil {
			return ctx, nil, err
		}
		for _, f := range append(first, func() error { return e.recover(ctx) }) {
			if err := f(); err != nil {
				unlock()
				return ctx, nil, err
			}
		}
	}
	ctx, end := e.session(ctx)
	return ctx, func() { end(); unlock() }, nil
}

// openWhole is open with all of the state.
func (e *Engine) openWhole(ctx context.Context, what string, dry bool, first ...func() error) (_ context.Context, s state, done func(), err error) {
	if ctx, done, err = e.open(ctx, what, dry, first...); err != nil {
		return ctx, s, nil, err
	}
	read := e.load
	if dry {
		read = e.look
	}
	if s, err = read(); err != nil {
		done()
	}
	return ctx, s, done, err
}

// pointed has the facts and the store tell At of the points that they come to.
func (e *Engine) pointed(ctx context.Context) context.Context {
	if e.At == nil {
		return ctx
	}
	e.Store.At = e.At
	return fact.WithPoints(ctx, e.At)
}

// session shares netlink handles and firewall readings among the facts of one command.
func (e *Engine) session(ctx context.Context) (context.Context, func()) {
	ctx, links := netns.Keep(ctx)
	ctx, rules := nat.Keep(nat.Patience(ctx, e.Wait))
	return ctx, func() { rules(); links() }
}

// noteUnfinished tells who only looks of a change that is under way or was cut off.
func (e *Engine) noteUnfinished() {
	data, _, err := e.Store.Pending()
	if err != nil || data == nil {
		return
	}
	if h := e.Store.Holder(); h.PID != 0 {
		e.note(h.String() + " is in the middle of a change")
	} else if still, _, _ := e.Store.Pending(); bytes.Equal(still, data) {
		e.note("a change was cut off in the middle; the next command that changes something settles it first (cnet repair does)")
	}
}

// take takes the lock.
func (e *Engine) take(ctx context.Context, what string) (unlock func(), err error) {
	if err := permitted(what, "changing the host's network"); err != nil {
		return nil, err
	}
	l, err := e.Store.Lock(ctx, e.Wait, what)
	if err != nil {
		return nil, explainFailure(what, err)
	}
	return func() {
		e.Store.Clear()
		l.Unlock()
	}, nil
}

// plan applies the mutation and compares the facts wanted with those made. Of the
// ledger only what the change touches is read.
func (e *Engine) plan(ctx context.Context, mutate Mutation, c *Change) (s state, err error) {
	if c.Before, err = e.topology(); err != nil {
		return s, err
	}
	c.After = c.Before.Clone()
	if err := mutate(&c.After, topology.Once(&host{ctx: ctx, firewall: e.Firewall, note: e.note})); err != nil {
		return s, err
	}
	if s, err = e.loadOnly(c.Before, topology.Touched(c.Before, c.After)); err != nil {
		return s, err
	}
	if err := e.awake(ctx, s, *c); err != nil {
		return s, err
	}
	if c.Plan, err = e.relied(ctx, fact.Diff(s.made, news(s, c.After))); err != nil {
		return s, err
	}
	if moves(*c) { // as an apply may ask for
		if err := passable(ctx, "move to another backend", *c); err != nil {
			return s, err
		}
		c.Plan = handOver(c.Plan, s.compile(c.After).Owner)
	}
	return s, feasible(c.Plan)
}

// news are the facts that a topology wants, without those that were wanted before
// and were not made: to mend them is for Repair, and they stop no change to others.
func news(s state, after topology.Topology) []fact.Fact {
	unmade := fact.Index(s.compile(s.topo).Facts)
	for _, f := range s.made {
		delete(unmade, f.Key())
	}
	var list []fact.Fact
	for _, f := range s.compile(after).Facts {
		if old, ok := unmade[f.Key()]; !ok || !fact.Same(old, f) {
			list = append(list, f)
		}
	}
	return list
}

func (e *Engine) note(s string) {
	if e.Watch != nil {
		e.Watch.Note(s)
	}
}
