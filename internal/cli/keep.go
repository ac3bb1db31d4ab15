package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/engine"
	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/health"
	"github.com/cnetlab/cnet/internal/keep"
	"github.com/cnetlab/cnet/internal/names"
	"github.com/cnetlab/cnet/internal/proc"
	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/fact"
)

// newKeepCmd is what the processes that cnet keeps are started as.
func newKeepCmd(a *app) *cobra.Command {
	var child bool
	c := &cobra.Command{
		Use: "keep NAME", Short: "Be a process that cnet keeps", Hidden: true,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			k, ok := a.keptOf(args[0])
			switch {
			case !ok:
				return fail.New(fail.NotFound, "keep "+args[0], "there is no such process")
			case child:
				return k.Child()
			}
			return k.Parent(c.Context())
		},
	}
	c.Flags().BoolVar(&child, "child", false, "be the half of it that serves")
	c.Flags().String("of", "", "the number of the host's network namespace, by which others find it")
	return c
}

// kept is a kind of process that cnet keeps, and what it is for.
type kept struct {
	keep.Kind
	// of is what the process must know of a topology, and where it listens; nil if
	// nobody needs it.
	of       func(topology.Topology) (know any, at []netip.AddrPort)
	say, why string
	// last reports whether its connections may go on for a while though nobody needs
	// it any more; nil is never.
	last func(topology.Topology) bool
}

// lasts is last.
func (k kept) lasts(t topology.Topology) bool { return k.last != nil && k.last(t) }

// kept are the processes that a topology needs, and those that may run from before.
func (a *app) kept(t topology.Topology) (list []kept, err error) {
	names := []string{"dns", "agent", edgeName}
	for _, c := range t.Containers {
		if c.Sidecar != nil {
			names = append(names, sidecarPrefix+c.StackName())
		}
	}
	old, err := proc.Kept()
	for _, name := range append(names, old...) {
		k, ok := a.keptOf(name)
		if ok && !slices.ContainsFunc(list, func(o kept) bool { return o.Name == name }) {
			list = append(list, k)
		}
	}
	return list, err
}

// keptOf is the process of a name.
func (a *app) keptOf(name string) (k kept, ok bool) {
	switch {
	case name == "dns":
		k = kept{
			Kind: keep.Kind{Open: names.Open, Serve: func() keep.Server { return names.NewServer("/etc/resolv.conf") }},
			of:   nameBook,
			say:  "A process of cnet answers for names at the gateways of the networks (dns).",
			why:  "Containers would not find each other by name.",
		}
	case name == "agent":
		k = kept{
			Kind: keep.Kind{Grant: a.found, Serve: func() keep.Server { return health.NewAgent() }},
			of:   patients,
			say:  "A process of cnet asks the backends of services whether they can serve (agent).",
			why:  "A backend that dies would be given connections still, and one that begins would be given none.",
		}
	case name == edgeName:
		k = edgeKept()
	default:
		if k, ok = sidecarOf(name); !ok {
			return k, false
		}
	}
	k.Name = name
	k.Need = func() (json.RawMessage, []netip.AddrPort, error) { return a.know(k) }
	return k, true
}

// needs reports whether a topology needs the process.
func (k kept) needs(t topology.Topology) bool {
	know, _ := k.of(t)
	return know != nil
}

func patients(t topology.Topology) (any, []netip.AddrPort) {
	if !slices.ContainsFunc(t.Services, func(s topology.Service) bool { return s.Check != nil }) {
		return nil, nil
	}
	return health.Of(t), nil
}

func nameBook(t topology.Topology) (any, []netip.AddrPort) {
	answers := make(map[string]bool)
	for _, n := range t.Networks {
		answers[n.Name] = n.Names()
	}
	if !slices.ContainsFunc(t.Containers, func(k topology.Container) bool {
		return slices.ContainsFunc(k.Networks, func(a topology.Attachment) bool { return answers[a.Network] })
	}) {
		return nil, nil
	}
	b := names.Of(t)
	return b, b.Gateways()
}

// know is what a kept process must know of the topology of now; nil if nobody
// needs it.
func (a *app) know(k kept) (json.RawMessage, []netip.AddrPort, error) {
	t, err := a.engine().Topology()
	if err != nil {
		return nil, nil, err
	}
	what, at := k.of(t)
	if what == nil {
		return nil, nil, nil
	}
	know, err := json.Marshal(what)
	return know, at, err
}

// found has a backend be given connections from now on, or no more.
func (a *app) found(ctx context.Context, wish json.RawMessage) error {
	var f health.Finding
	if err := json.Unmarshal(wish, &f); err != nil {
		return err
	}
	what := fmt.Sprintf("%s of service %s does not answer", f.Container, f.Service)
	if f.Ready {
		what = fmt.Sprintf("%s of service %s answers", f.Container, f.Service)
	}
	fmt.Fprintf(a.err, "%s: %s\n", time.Now().Format(time.RFC3339), what)
	ch, err := a.engine().Change(ctx, "agent: "+what, func(t *topology.Topology, _ topology.Host) error {
		s, err := t.Service(f.Service)
		if err != nil {
			return err
		}
		ready := slices.DeleteFunc(slices.Clone(s.Ready), func(name string) bool { return name == f.Container })
		if f.Ready {
			ready = append(ready, f.Container)
		}
		return t.SetReady(f.Service, ready)
	})
	if err != nil {
		return err
	}
	return a.settle(ctx, ch.After)
}

// ready opens the sockets of proxies that a change will lead connections to, before
// it does: who calls meanwhile waits, and is not refused.
func (a *app) ready(ctx context.Context, after topology.Topology) error {
	list, err := a.kept(after)
	for _, k := range list {
		if know, at := k.of(after); know != nil && k.Netns != "" && err == nil {
			a.sockets[k.Name], err = k.Prepare(ctx, at)
		}
	}
	return err
}

// settle brings what runs for cnet to where a topology needs it: the processes
// that cnet keeps, and what was started in containers. Where nothing is up, nothing
// is needed.
func (a *app) settle(ctx context.Context, after topology.Topology) error {
	list, err := a.kept(after)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(list, func(k kept) bool { return k.needs(after) }) && a.hintIdle(ctx, after) {
		after = topology.Topology{}
	}
	errs := []error{a.endProcesses(ctx, after)}
	patient := ctx
	ctx = context.WithoutCancel(ctx) // the change is made; this is short
	var wg sync.WaitGroup
	told := make([]error, len(list))
	for i, k := range list {
		i, k := i, k
		if k.needs(after) && k.Runs() {
			wg.Add(1)
			go func() {
				defer wg.Done()
				told[i] = a.needed(k.Settle(ctx, true, nil))
			}()
		}
	}
	wg.Wait()
	for _, k := range list {
		switch needed, runs := k.needs(after), k.Runs(); {
		case needed && !runs:
			errs = append(errs, a.needed(a.settleLocked(ctx, k)))
		case !needed && runs && k.lasts(after):
			errs = append(errs, a.drain(patient, k))
		case !needed && runs:
			errs = append(errs, a.settleLocked(ctx, k))
		}
	}
	return errors.Join(append(errs, told...)...)
}

// drain has a process end with its connections, and waits for that if the command says so.
func (a *app) drain(ctx context.Context, k kept) error {
	grace := a.grace
	if grace == 0 {
		grace = defaultGrace
	}
	wait, err := k.Drain(grace)
	if err != nil || a.grace == 0 {
		return err
	}
	wait(ctx)
	if ctx.Err() != nil {
		return fail.New(fail.Failed, k.Name, "interrupted: it takes no new connections, and ends with those that it has, or %s after it was told to", grace)
	}
	return nil
}

// defaultGrace is for how long the connections of a proxy may go on that nobody
// needs any more.
const defaultGrace = 5 * time.Second

// needed warns of a process that does not run as it should: the change is made all
// the same.
func (a *app) needed(err error) error {
	if err != nil {
		fmt.Fprintln(a.err, wrap(fmt.Sprintf("cnet: %v; cnet check tells until it is mended", err), "  "))
	}
	return nil
}

// settleLocked starts or ends a kept process. Another command may have done so,
// or have changed what is needed.
func (a *app) settleLocked(ctx context.Context, k kept) error {
	e := a.engine()
	lock, err := e.Store.Lock(ctx, a.wait, typed())
	if err != nil {
		return err
	}
	defer func() { e.Store.Clear(); lock.Unlock() }()
	now, err := e.Topology()
	if err != nil {
		return err
	}
	idle, err := e.Idle(ctx, now)
	if err != nil {
		return err
	}
	return k.Settle(ctx, k.needs(now) && !idle, a.sockets[k.Name])
}

// keptFindings are the kept processes that a topology needs, as check shows them.
func (a *app) keptFindings(ctx context.Context, e *engine.Engine) ([]engine.Finding, error) {
	t, err := e.Topology()
	if err != nil {
		return nil, err
	}
	if idle, err := e.Idle(ctx, t); idle || err != nil {
		return nil, err
	}
	var list []engine.Finding
	all, err := a.kept(t)
	if err != nil {
		return nil, err
	}
	for _, k := range all {
		if !k.needs(t) {
			continue
		}
		f := keptFact{k}
		truth, _ := f.Probe(ctx)
		list = append(list, engine.Finding{Owner: topology.HostOwner, Fact: f, Truth: truth})
	}
	more, err := endedFindings(t)
	return append(list, more...), err
}

// keptFact is the fact that a kept process runs. No kernel holds it: it is not
// part of a plan.
type keptFact struct{ kept }

func (f keptFact) Key() fact.Key { return fact.Key{Kind: "process", Name: f.Name} }
func (f keptFact) Say() string   { return f.say }
func (f keptFact) Why() string   { return f.why }

func (f keptFact) Probe(context.Context) (fact.Truth, error) {
	if f.Runs() {
		return fact.True(), nil
	}
	return fact.False(), nil
}

func (f keptFact) Make(ctx context.Context) error  { return f.Settle(ctx, true, nil) }
func (f keptFact) Break(ctx context.Context) error { return f.Settle(ctx, false, nil) }

func (f keptFact) Commands(fact.Verb) []fact.Command {
	return []fact.Command{fact.Cmd("cnet", "repair")}
}
