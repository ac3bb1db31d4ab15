package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/engine"
	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/health"
	"github.com/cnetlab/cnet/internal/keep"
	"github.com/cnetlab/cnet/internal/names"
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
			for _, k := range a.kept() {
				switch {
				case k.Name != args[0]:
				case child:
					return k.Child()
				default:
					return k.Parent(c.Context())
				}
			}
			return fail.New(fail.NotFound, "keep "+args[0], "there is no such process")
		},
	}
	c.Flags().BoolVar(&child, "child", false, "be the half of it that serves")
	return c
}

// kept are the kinds of processes that cnet keeps.
func (a *app) kept() []keep.Kind {
	return []keep.Kind{{
		Name:  "dns",
		Need:  func() (json.RawMessage, []netip.AddrPort, error) { return a.know("dns", nameBook) },
		Open:  names.Open,
		Serve: func() keep.Server { return names.NewServer("/etc/resolv.conf") },
	}, {
		Name:  "agent",
		Need:  func() (json.RawMessage, []netip.AddrPort, error) { return a.know("agent", patients) },
		Grant: a.found,
		Serve: func() keep.Server { return health.NewAgent() },
	}}
}

func patients(t topology.Topology) (any, []netip.AddrPort) { return health.Of(t), nil }

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

// needs reports whether a topology needs a kept process.
func needs(t topology.Topology, name string) bool {
	switch name {
	case "agent":
		return slices.ContainsFunc(t.Services, func(s topology.Service) bool { return s.Check != nil })
	case "dns":
		answers := make(map[string]bool)
		for _, n := range t.Networks {
			answers[n.Name] = n.Names()
		}
		return slices.ContainsFunc(t.Containers, func(k topology.Container) bool {
			return slices.ContainsFunc(k.Networks, func(a topology.Attachment) bool { return answers[a.Network] })
		})
	}
	return false
}

func nameBook(t topology.Topology) (any, []netip.AddrPort) {
	b := names.Of(t)
	return b, b.Gateways()
}

// know is what a kept process must know of the topology of now; nil if nobody
// needs it.
func (a *app) know(kind string, of func(topology.Topology) (any, []netip.AddrPort)) (json.RawMessage, []netip.AddrPort, error) {
	t, err := a.engine().Topology()
	if err != nil || !needs(t, kind) {
		return nil, nil, err
	}
	what, at := of(t)
	know, err := json.Marshal(what)
	return know, at, err
}

// settle brings what runs for cnet to where a topology needs it: the processes
// that cnet keeps, and what was started in containers.
func (a *app) settle(ctx context.Context, after topology.Topology) error {
	errs := []error{a.endProcesses(ctx, after)}
	ctx = context.WithoutCancel(ctx) // the change is made; this is short
	for _, k := range a.kept() {
		needed, runs := needs(after, k.Name), k.Runs()
		var err error
		switch {
		case needed && runs:
			err = k.Settle(ctx, true)
		case needed || runs:
			err = a.settleLocked(ctx, k, after)
		}
		if needed && err != nil { // the change is made all the same
			fmt.Fprintln(a.err, wrap(fmt.Sprintf("cnet: %v; cnet check tells until it is mended", err), "  "))
			err = nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// settleLocked starts or ends a kept process. Another command may have done so,
// or have changed what is needed.
func (a *app) settleLocked(ctx context.Context, k keep.Kind, after topology.Topology) error {
	e := a.engine()
	lock, err := e.Store.Lock(ctx, a.wait, typed())
	if err != nil {
		return err
	}
	defer func() { e.Store.Clear(); lock.Unlock() }()
	needed := false
	if len(after.Networks) > 0 { // none after down, of which the files still tell
		now, err := e.Topology()
		if err != nil {
			return err
		}
		needed = needs(now, k.Name)
	}
	return k.Settle(ctx, needed)
}

// sweepKept ends the kept processes that no file tells of any more.
func (a *app) sweepKept(ctx context.Context) error {
	var errs []error
	for _, k := range a.kept() {
		errs = append(errs, k.Sweep(ctx))
	}
	return errors.Join(errs...)
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
	for _, k := range a.kept() {
		if !needs(t, k.Name) {
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
type keptFact struct{ kind keep.Kind }

func (f keptFact) Key() fact.Key { return fact.Key{Kind: "process", Name: f.kind.Name} }

func (f keptFact) Say() string {
	if f.kind.Name == "agent" {
		return "A process of cnet asks the backends of services whether they can serve (agent)."
	}
	return "A process of cnet answers for names at the gateways of the networks (dns)."
}

func (f keptFact) Why() string {
	if f.kind.Name == "agent" {
		return "A backend that dies would be given connections still, and one that begins would be given none."
	}
	return "Containers would not find each other by name."
}

func (f keptFact) Probe(context.Context) (fact.Truth, error) {
	if f.kind.Runs() {
		return fact.True(), nil
	}
	return fact.False(), nil
}

func (f keptFact) Make(ctx context.Context) error  { return f.kind.Settle(ctx, true) }
func (f keptFact) Break(ctx context.Context) error { return f.kind.Settle(ctx, false) }

func (f keptFact) Commands(fact.Verb) []fact.Command {
	return []fact.Command{fact.Cmd("cnet", "repair")}
}
