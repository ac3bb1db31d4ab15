package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/engine"
	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/keep"
	"github.com/cnetlab/cnet/internal/sidecar"
	"github.com/cnetlab/cnet/internal/topology"
)

const sidecarPrefix = "sidecar-"

// sidecarOf is the process of a sidecar, by its name.
func sidecarOf(name string) (k kept, ok bool) {
	stack, ok := strings.CutPrefix(name, sidecarPrefix)
	if !ok || topology.CheckName("container", stack) != nil {
		return k, false
	}
	return kept{
		Kind: keep.Kind{
			Netns: topology.NetnsPath(stack), Privileges: sidecar.Privileges(), Open: sidecar.Open,
			Serve: func() keep.Server { return sidecar.NewServer() },
		},
		of: func(t topology.Topology) (any, []netip.AddrPort) {
			k := t.Holding(stack)
			if k == nil || k.Sidecar == nil || k.Sidecar.Ends {
				return nil, nil
			}
			return sidecar.Of(t, *k), sidecar.At(t, *k)
		},
		say: fmt.Sprintf("A process of cnet is the proxy of container %s (%s).", stack, name),
		why: "What the container calls is led to it: nobody would be reached.",
		last: func(t topology.Topology) bool {
			k := t.Holding(stack)
			return k != nil && k.Sidecar != nil && k.Sidecar.Ends
		},
	}, true
}

func newSidecarCmd(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "sidecar",
		Short: "Put a proxy beside a container, which it does not notice",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fail.New(fail.Usage, "sidecar "+args[0], "there is no such command").Try("cnet sidecar --help")
			}
			return c.Help()
		},
	}
	c.AddCommand(newSidecarAttachCmd(a), newSidecarDetachCmd(a), newSidecarListCmd(a), newSidecarStatusCmd(a))
	return c
}

func newSidecarAttachCmd(a *app) *cobra.Command {
	var f sidecarFlags
	c := &cobra.Command{
		Use:   "attach NAME",
		Short: "Lead what a container calls to a proxy of its own",
		Long: `Start a proxy in a container's namespace, and have the kernel lead the TCP
connections that the container makes to it (REDIRECT). The container notices
nothing. HTTP requests that fail are tried again, at another backend where they
are for a service; an upstream that goes on failing is left alone for a while;
what is not HTTP passes as it is.

A request is tried again if its method says that once is as good as twice (GET,
HEAD, OPTIONS, TRACE, PUT, DELETE), if it has an Idempotency-Key, or if it
certainly reached nobody.

The proxy marks what it sends itself, which the rules let pass: no flag changes
that. Given again, the command changes the sidecar that is there: flags that are
left out go back to their defaults.`,
		Example: `  cnet sidecar attach web --retries 2 --timeout 1s --circuit 5/30s
  cnet sidecar attach web --inbound
  cnet exec web -- curl http://127.0.0.1:15001/metrics`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.change(c, func(t *topology.Topology, _ topology.Host) error {
				return t.Attach(args[0], f.sidecar())
			})
		},
	}
	a.changeFlags(c)
	f.add(c)
	return c
}

type sidecarFlags struct {
	retries int
	timeout time.Duration
	circuit string
	inbound bool
}

func (f *sidecarFlags) add(c *cobra.Command) {
	fl := c.Flags()
	fl.IntVar(&f.retries, "retries", 0, "how often a request that failed is tried again (default 0: never)")
	fl.DurationVar(&f.timeout, "timeout", time.Second, "how long each try may take until an answer begins")
	fl.StringVar(&f.circuit, "circuit", "", "leave an upstream alone after so many failures in a row, for so long: `N/TIME`, like 5/30s")
	fl.BoolVar(&f.inbound, "inbound", false, "take the connections that come to the container, too")
}

func (f sidecarFlags) sidecar() topology.Sidecar {
	return topology.Sidecar{Retries: f.retries, Timeout: f.timeout.String(), Circuit: f.circuit, Inbound: f.inbound}
}

func newSidecarDetachCmd(a *app) *cobra.Command {
	var ifExists bool
	c := &cobra.Command{
		Use:   "detach NAME",
		Short: "Take a container's sidecar away",
		Long: `Take the rules away that lead a container's connections to its proxy, and end
the proxy when the connections that go through it have ended, at the latest after
--drain.`,
		Example: "  cnet sidecar detach web --drain 30s",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if a.grace <= 0 {
				return fail.New(fail.Usage, "--drain "+a.grace.String(), "it must be longer than 0").Try("--drain 5s")
			}
			if err := a.endSidecar(c.Context(), args[0]); err != nil && !ifExists {
				return err
			}
			return a.change(c, func(t *topology.Topology, _ topology.Host) error {
				if k, err := t.Holder(args[0]); ifExists && (err != nil || k.Sidecar == nil) {
					return nil
				}
				return t.Detach(args[0])
			})
		},
	}
	a.changeFlags(c)
	c.Flags().DurationVar(&a.grace, "drain", defaultGrace, "how long open connections may go on")
	c.Flags().BoolVar(&ifExists, "if-exists", false, "a container without a sidecar is fine")
	return c
}

// endSidecar has a sidecar be given no more connections, and waits until those it
// has have ended. Cut off here, the sidecar has ended and is still there: to detach
// it again takes it away.
func (a *app) endSidecar(ctx context.Context, name string) error {
	t, err := a.engine().Topology()
	if err != nil || a.dryRun {
		return err
	}
	k, err := t.Holder(name)
	if err != nil || k.Sidecar == nil {
		return err
	}
	ch, err := a.engine().Change(ctx, typed(), func(t *topology.Topology, _ topology.Host) error { return t.EndSidecar(name) })
	if err != nil {
		return err
	}
	err = a.settle(ctx, ch.After)
	if e := new(fail.Error); ctx.Err() != nil && errors.As(err, &e) {
		e.Try("cnet sidecar detach %s", name)
	}
	return err
}

// sidecarRow is a sidecar as list and status show it.
type sidecarRow struct {
	Container string           `json:"container"`
	Sidecar   topology.Sidecar `json:"sidecar"`
	Running   bool             `json:"running"`
	Status    *sidecar.Status  `json:"status,omitempty"`
	// Rules is what the rules have counted.
	Rules *engine.Redirected `json:"rules,omitempty"`
}

func newSidecarListCmd(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the sidecars",
		Example: "  cnet sidecar list\n  cnet sidecar list -o json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			t, err := a.engine().Topology()
			if err != nil {
				return err
			}
			list := []sidecarRow{}
			rows := [][]string{{"CONTAINER", "RETRIES", "TIMEOUT", "CIRCUIT", "TAKES", "STATE"}}
			for _, k := range t.Containers {
				if k.Sidecar == nil {
					continue
				}
				r := sidecarRow{Container: k.Name, Sidecar: *k.Sidecar}
				if p, ok := sidecarOf(sidecarPrefix + k.StackName()); ok {
					p.Name = sidecarPrefix + k.StackName()
					r.Running = p.Runs()
				}
				list = append(list, r)
				rows = append(rows, r.words())
			}
			if a.output != "" {
				return a.data(list)
			}
			return table(a.out, rows)
		},
	}
	a.outputFlag(c)
	return c
}

func (r sidecarRow) words() []string {
	takes, state := "out", "dead"
	if r.Sidecar.Inbound {
		takes = "out, in"
	}
	switch {
	case r.Sidecar.Ends:
		state = "ends"
	case r.Running:
		state = "running"
	}
	return []string{r.Container, strconv.Itoa(r.Sidecar.Retries), r.Sidecar.Timeout, orDash(r.Sidecar.Circuit), takes, state}
}

func newSidecarStatusCmd(a *app) *cobra.Command {
	var metrics bool
	c := &cobra.Command{
		Use:   "status NAME",
		Short: "Say in a line how a container's sidecar fares",
		Long: `Say in a line how a container's sidecar fares, and what the kernel's rules have
counted: the connections that were led to the proxy, and those that it made
itself. With --metrics, all that it counts, in the form of Prometheus; in the
container the same is at http://127.0.0.1:15001/metrics.`,
		Example: "  cnet sidecar status web\n  cnet sidecar status web --metrics",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			e := a.engine()
			t, err := e.Topology()
			if err != nil {
				return err
			}
			k, err := t.Holder(args[0])
			if err != nil {
				return err
			}
			if k.Sidecar == nil {
				return fail.New(fail.NotFound, "sidecar of "+args[0], "the container has none").Try("cnet sidecar attach %s", args[0])
			}
			p, _ := a.keptOf(sidecarPrefix + k.StackName())
			r := sidecarRow{Container: args[0], Sidecar: *k.Sidecar, Running: p.Runs(), Status: &sidecar.Status{}}
			switch {
			case r.Running:
			case k.Sidecar.Ends:
				return fail.New(fail.Failed, "sidecar of "+args[0], "it is being taken away, and its process has ended").Try("cnet sidecar detach %s", args[0])
			default:
				return fail.New(fail.Failed, "sidecar of "+args[0], "its process does not run").Try("cnet repair")
			}
			if err := p.Tell(r.Status); err != nil {
				return err
			}
			rules, err := e.Redirected(c.Context(), *k)
			if err != nil {
				return err
			}
			r.Rules = &rules
			switch {
			case a.output != "":
				return a.data(r)
			case metrics:
				_, err = fmt.Fprint(a.out, r.Status.Metrics)
			default:
				_, err = fmt.Fprintf(a.out, "%s\nrules: %d connections led to the proxy, %d made by it\n", wrap(r.Status.Summary(), "  "), rules.Taken, rules.Own)
			}
			return err
		},
	}
	a.outputFlag(c)
	c.Flags().BoolVar(&metrics, "metrics", false, "print all that it counts, in the form of Prometheus")
	return c
}
