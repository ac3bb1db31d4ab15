package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/engine"
	"github.com/cnetlab/cnet/internal/keep"
	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/fact"
)

func newRepairCmd(a *app) *cobra.Command {
	var firewall string
	c := a.wholeCmd("repair", "Make true again what does not hold",
		`Look at every fact, as cnet check does, and make those true that do not hold,
with the fewest changes: what can be set right in place is not made anew, and
connections that go over it go on. What is stray is taken away. Past what cannot
be mended repair goes on with the rest.

With --firewall, all networks move to that backend on the way. Their rules are
made there before the old ones go, so that no open connection ends.`,
		func(c *cobra.Command, e *engine.Engine) (engine.Change, error) {
			return e.Repair(c.Context(), typed(), firewall, a.dryRun)
		}, repairLines)
	c.Flags().StringVar(&firewall, "firewall", "", "move all networks to this `backend`: iptables, nftables or auto")
	completeFirewall(c)
	return c
}

// repairLines tell of a repair, and of networks that moved instead of their rules.
func repairLines(ch engine.Change) []string {
	var lines []string
	for _, n := range ch.After.Networks {
		if old, err := ch.Before.Network(n.Name); err == nil && old.Firewall != n.Firewall {
			lines = append(lines, fmt.Sprintf("network %s is kept with %s now, not %s", n.Name, n.Firewall, old.Firewall))
		}
	}
	if len(lines) == 0 {
		return sentences(ch.Plan.Steps)
	}
	var steps []fact.Step
	for _, s := range ch.Plan.Steps {
		if !strings.HasPrefix(s.Fact.Key().Kind, "nat.") {
			steps = append(steps, s)
		}
	}
	if len(steps) > 0 {
		lines = append(lines, sentences(steps)...)
	}
	return lines
}

func newResetCmd(a *app) *cobra.Command {
	return a.wholeCmd("reset", "Remove everything that cnet owns",
		"Take back everything: all containers, networks and rules that cnet made on this\nhost, what cnet exec -d started, and whatever else carries cnet's mark.",
		func(c *cobra.Command, e *engine.Engine) (engine.Change, error) {
			ch, err := e.Reset(c.Context(), a.dryRun)
			if err == nil && !a.dryRun {
				err = keep.Sweep(c.Context())
			}
			return ch, err
		}, summary)
}

// wholeCmd is a command on the whole host, without arguments; lines tell people
// what it did.
func (a *app) wholeCmd(use, short, long string, run func(*cobra.Command, *engine.Engine) (engine.Change, error), lines func(engine.Change) []string) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Long: long,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			e, w := a.engine(), a.watcher()
			e.Watch = w
			ch, err := run(c, e)
			w.end()
			if err != nil {
				return err
			}
			if a.dryRun {
				return a.showPlan(ch)
			}
			after := ch.After
			if idle, err := e.Idle(c.Context(), after); err != nil {
				return err
			} else if idle { // after down
				after = topology.Topology{}
			}
			words, dead, err := a.dead(after)
			if err == nil {
				err = errors.Join(a.settle(c.Context(), after), a.revive(c.Context(), dead))
			}
			if still, _, more := a.dead(after); err == nil {
				err = more
				words = slices.DeleteFunc(words, func(w string) bool { return slices.Contains(still, w) })
			}
			if err != nil {
				return err
			}
			return a.reportAs(ch, func(ch engine.Change) []string { return revived(lines(ch), words) })
		},
	}
	a.changeFlags(c)
	return c
}

// revived are the lines about a change, and those about processes that run again.
func revived(lines, words []string) []string {
	if len(words) > 0 && len(lines) == 1 && lines[0] == nothing {
		lines = nil
	}
	for _, w := range words {
		lines = append(lines, wrap("started: "+w, "  "))
	}
	return lines
}
