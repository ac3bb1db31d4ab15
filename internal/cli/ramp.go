package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/probe"
	"github.com/cnetlab/cnet/internal/ramp"
	"github.com/cnetlab/cnet/internal/topology"
)

// rampFlags are those of service ramp.
type rampFlags struct {
	to, step, tries int
	every           time.Duration
	limit, try      string
}

func newServiceRampCmd(a *app) *cobra.Command {
	var f rampFlags
	c := &cobra.Command{
		Use:   "ramp SERVICE NAME --to PERCENT",
		Short: "Move a service's traffic to a backend or group, step by step",
		Long: `Move a service's traffic to the backend or the group NAME, step by step, and
back if it fails. The others keep their proportions to each other.

Each step changes the weights, and lasts for --every. What the backends were
really given is read from the counters of the kernel. Whether NAME can serve is
asked by trial requests, straight to its backends and evenly over the step:
--try tcp connects, --try http:/PATH wants an answer with a status below 400. By
default they are what the service's own check asks, or else tcp. If more of them
fail than --abort-on-error-rate allows, or at Ctrl-C, the weights become those
of before at once, and the exit code is 1.

Connections that are open stay with their backends in any case.`,
		Example: `  cnet service ramp web v2 --to 100 --step 10 --every 5s
  cnet service ramp web v2 --to 25 --try http:/healthz --abort-on-error-rate 2%`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			if !c.Flags().Changed("to") {
				return fail.New(fail.Usage, "service ramp", "--to is missing: the share to reach").Try("cnet service ramp %s %s --to 50", args[0], args[1])
			}
			limit, err := f.parse()
			if err != nil {
				return err
			}
			return a.ramp(c.Context(), args[0], args[1], f, limit)
		},
	}
	fl := c.Flags()
	fl.IntVar(&f.to, "to", 0, "the share to reach, in `percent`")
	fl.IntVar(&f.step, "step", 10, "the most that a step adds, in `percent`")
	fl.DurationVar(&f.every, "every", 5*time.Second, "how long a step lasts")
	fl.IntVar(&f.tries, "tries", 20, "trial requests in each step")
	fl.StringVar(&f.try, "try", "", "what a trial request is: `tcp` or http:/PATH")
	fl.StringVar(&f.limit, "abort-on-error-rate", "2%", "go back if more of a step's trial requests fail, in `percent`")
	a.outputFlag(c)
	return c
}

// parse checks the numbers, and reads the limit.
func (f rampFlags) parse() (limit float64, err error) {
	bad := func(flag string, value any, why string) error {
		return fail.New(fail.Usage, fmt.Sprintf("--%s %v", flag, value), "%s", why)
	}
	limit, err = strconv.ParseFloat(strings.TrimSuffix(f.limit, "%"), 64)
	switch {
	case err != nil || !(limit >= 0 && limit <= 100):
		return 0, bad("abort-on-error-rate", f.limit, "it is not a percentage, like 2%")
	case f.to < 0 || f.to > 100:
		return 0, bad("to", f.to, "a share is from 0 to 100 percent")
	case f.step < 1 || f.step > 100:
		return 0, bad("step", f.step, "a step is from 1 to 100 percent")
	case f.tries < 1 || f.tries > 10000:
		return 0, bad("tries", f.tries, "there are 1 to 10000 of them in a step")
	case f.every < 100*time.Millisecond:
		return 0, bad("every", f.every, "a step lasts at least 100ms")
	}
	return limit, nil
}

// ramp runs the steps, and shows each.
func (a *app) ramp(ctx context.Context, service, name string, f rampFlags, limit float64) error {
	what := fmt.Sprintf("ramp %s to %s", service, name)
	t, err := a.engine().Topology()
	if err != nil {
		return err
	}
	s, err := t.Service(service)
	if err != nil {
		return err
	}
	now := t.Weights(*s)
	steps, err := ramp.Plan(now, name, f.to, f.step)
	if err != nil {
		return planFailure(what, service, name, now, err)
	}
	if len(steps) == 0 {
		if a.output == "" {
			fmt.Fprintf(a.out, "%s: %s has %d%%\n", nothing, name, f.to)
		}
		return a.rampPage(now).end()
	}
	r, err := a.ramped(t, *s, name, f.try)
	if err != nil {
		return err
	}
	page := a.rampPage(now)
	err = ramp.Run(ctx, r, s.Weights, steps, ramp.Options{Every: f.every, Tries: f.tries, Limit: limit, Watch: page.look})
	if end := page.end(); err == nil {
		return end
	}
	if errors.Is(err, ramp.ErrTaken) {
		return fail.New(fail.Conflict, what, "%w, and stay as that left them", ramp.ErrTaken).Try("cnet service inspect %s", service)
	}
	return rampFailure(what, service, name, limit, now, err)
}

// planFailure says why a ramp cannot begin.
func planFailure(what, service, name string, now []topology.Weight, err error) error {
	switch {
	case errors.Is(err, ramp.ErrUnknown):
		return fail.New(fail.NotFound, what, "%w of %s", err, service).Try("cnet service inspect %s", service)
	case errors.Is(err, ramp.ErrAlone) && len(now) > 1:
		other := now[slices.IndexFunc(now, func(w topology.Weight) bool { return w.Name != name })].Name
		return fail.New(fail.Conflict, what, "%w: another is to be given what it loses", err).Try("cnet service ramp %s %s --to 100", service, other)
	}
	return fail.New(fail.Conflict, what, "%w", err).Try("cnet service inspect %s", service)
}

// rampFailure says why a ramp ended, and how the weights are now.
func rampFailure(what, service, name string, limit float64, before []topology.Weight, err error) error {
	var back *ramp.Aborted
	if !errors.As(err, &back) {
		return err
	}
	why := back.Err.Error()
	switch {
	case errors.Is(err, context.Canceled):
		why = "interrupted"
	case errors.Is(err, ramp.ErrFailing):
		why = fmt.Sprintf("%d of %d trial requests to %s failed, and %.3g%% may (%v)", back.Look.Failed, back.Look.Tried, name, limit, back.Look.Last)
	}
	return fail.New(fail.Failed, what, "%s; the weights are as before: %s", why, texts(before)).
		Try("cnet service inspect %s", service)
}

// ramped is a service as a ramp sees it.
type ramped struct {
	app     *app
	service string
	group   map[string]string // of each backend, the name that its weight has
	weights []topology.Weight // as the ramp found or left them
	targets []probe.Target    // the backends whose share moves
	next    int
}

func (a *app) ramped(t topology.Topology, s topology.Service, name, try string) (*ramped, error) {
	members := t.Members(s)
	r := &ramped{app: a, service: s.Name, group: s.Weighed(members), weights: s.Weights}
	how := topology.Check{Kind: "tcp"}
	if s.Check != nil {
		how = *s.Check
	}
	if try != "" {
		var err error
		if how, err = topology.ParseCheck(try); err != nil {
			return nil, fail.New(fail.Usage, "--try "+try, "it is neither tcp nor http:/PATH").Try("--try tcp or --try http:/healthz")
		}
	}
	for _, m := range members {
		if r.group[m.Container] != name {
			continue
		}
		for _, p := range s.Ports {
			if p.Proto != "tcp" {
				continue
			}
			target, err := probe.Parse(trial(how, netip.AddrPortFrom(m.IP, m.At(p))))
			if err != nil {
				return nil, err
			}
			r.targets = append(r.targets, target)
		}
	}
	if len(r.targets) == 0 {
		return nil, fail.New(fail.Conflict, "ramp "+s.Name+" to "+name, "it has no backend that could be tried over tcp").
			Try("cnet service inspect %s", s.Name)
	}
	return r, nil
}

func trial(c topology.Check, at netip.AddrPort) string {
	if c.Kind == "http" {
		return "http://" + at.String() + c.Path
	}
	return at.String()
}

// SetWeights refuses where somebody else has changed them meanwhile, who knows better.
func (r *ramped) SetWeights(ctx context.Context, weights []topology.Weight) error {
	_, err := r.app.engine().Change(ctx, typed(), func(t *topology.Topology, h topology.Host) error {
		return t.SetService(r.service, h, func(s *topology.Service) error {
			if !slices.Equal(s.Weights, r.weights) {
				return ramp.ErrTaken
			}
			s.Weights = weights
			return nil
		})
	})
	if err == nil {
		r.weights = weights
	}
	return err
}

func (r *ramped) Connections(ctx context.Context) (map[string]uint64, error) {
	given, err := r.app.engine().Given(ctx, r.service)
	sums := make(map[string]uint64)
	for container, n := range given {
		sums[r.group[container]] += n
	}
	return sums, err
}

func (r *ramped) Try(ctx context.Context) error {
	target := r.targets[r.next%len(r.targets)]
	r.next++
	switch got := probe.Run(ctx, target, probe.Options{Timeout: time.Second}); {
	case got.OK:
		return nil
	case got.Errno != "":
		return fmt.Errorf("%s from %s", got.Errno, target)
	default:
		return fmt.Errorf("status %d from %s", got.Status, target)
	}
}
