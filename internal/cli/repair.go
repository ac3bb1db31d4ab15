package cli

import (
	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/engine"
)

func newRepairCmd(a *app) *cobra.Command {
	return a.wholeCmd("repair", "Make true again what does not hold",
		`Look at every fact, as cnet check does, and make those true that do not hold,
with the fewest changes: what can be set right in place is not made anew, and
connections that go over it go on. What is stray is taken away. Past what cannot
be mended repair goes on with the rest.`,
		func(c *cobra.Command, e *engine.Engine) (engine.Change, error) {
			return e.Repair(c.Context(), typed(), a.dryRun)
		}, summary)
}

func newResetCmd(a *app) *cobra.Command {
	return a.wholeCmd("reset", "Remove everything that cnet owns",
		"Take back everything: all containers, networks and rules that cnet made on this\nhost, what cnet exec -d started, and whatever else carries cnet's mark.",
		func(c *cobra.Command, e *engine.Engine) (engine.Change, error) { return e.Reset(c.Context(), a.dryRun) }, summary)
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
			if err := a.endProcesses(c.Context(), ch.After); err != nil {
				return err
			}
			return a.reportAs(ch, lines)
		},
	}
	a.changeFlags(c)
	return c
}
