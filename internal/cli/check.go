package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/engine"
	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/pkg/fact"
)

func newCheckCmd(a *app) *cobra.Command {
	var verbose bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Compare what cnet made with the kernel",
		Long: `Look at every fact that cnet made and say which do not hold any more. The exit
code is 6 when one does not.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			e := a.engine()
			e.Watch = a.watcher()
			found, err := e.Check(c.Context())
			if err != nil {
				return err
			}
			bad := unmet(found)
			if a.output != "" {
				if err := a.data(findings(found)); err != nil {
					return err
				}
			} else {
				a.showFindings(found, bad, verbose)
			}
			if len(bad) > 0 {
				return exit(fail.Unmet)
			}
			return nil
		},
	}
	a.lockFlag(c)
	a.outputFlag(c)
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "show the facts that hold, too")
	return c
}

func unmet(found []engine.Finding) []engine.Finding {
	var bad []engine.Finding
	for _, f := range found {
		if f.Err != nil || f.Truth.State != fact.Holds {
			bad = append(bad, f)
		}
	}
	return bad
}

func (a *app) showFindings(found, bad []engine.Finding, verbose bool) {
	show := bad
	if verbose {
		show = found
	}
	for _, f := range show {
		fmt.Fprintln(a.out, labelled(stateOf(f), f.Fact.Say()))
		if d := detail(f); d != "" {
			fmt.Fprintln(a.out, labelled("", d))
		}
	}
	if len(bad) == 0 {
		fmt.Fprintf(a.out, "all %s hold\n", count(len(found), "fact"))
		return
	}
	fmt.Fprintf(a.err, "cnet: %d of %s do not hold\n  try: cnet repair\n", len(bad), count(len(found), "fact"))
}

func stateOf(f engine.Finding) string {
	if f.Err != nil {
		return "unknown"
	}
	return f.Truth.State.String()
}

func detail(f engine.Finding) string {
	if f.Err != nil {
		return f.Err.Error()
	}
	return f.Truth.Diff
}

type findingView struct {
	Owner  string `json:"owner"`
	Kind   string `json:"kind"`
	Say    string `json:"say"`
	State  string `json:"state"`
	Detail string `json:"detail,omitempty"`
}

func findings(found []engine.Finding) []findingView {
	views := make([]findingView, 0, len(found))
	for _, f := range found {
		views = append(views, findingView{f.Owner, f.Fact.Key().Kind, f.Fact.Say(), stateOf(f), detail(f)})
	}
	return views
}
