package cli

import (
	"fmt"
	"slices"
	"strings"

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
		Long: `Look at every fact that cnet made and say which do not hold any more: the layer
that each is of, and what one would notice. What only goes with something else
that is gone is counted below it; -v tells of it too. A stray carries cnet's
mark, and nothing that cnet knows of wants it. The exit code is 6 when a fact
does not hold or there is a stray.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			e := a.engine()
			e.Watch = a.watcher()
			found, err := e.Check(c.Context())
			if err != nil {
				return err
			}
			kept, err := a.keptFindings(c.Context(), e)
			if err != nil {
				return err
			}
			found = append(found, kept...)
			bad := unmet(found)
			if a.output != "" {
				if err := a.data(findings(found)); err != nil {
					return err
				}
			} else if t, err := e.Topology(); err != nil {
				return err
			} else if verbose || len(bad) == 0 || !a.hintIdle(c.Context(), t) {
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
		if !f.OK() {
			bad = append(bad, f)
		}
	}
	return bad
}

// showFindings tells what does not hold or, with verbose, of all.
func (a *app) showFindings(found, bad []engine.Finding, verbose bool) {
	if verbose {
		for _, f := range found {
			a.showFinding(f)
		}
	} else {
		a.showRoots(bad)
	}
	if len(bad) == 0 {
		fmt.Fprintf(a.out, "all %s hold\n", count(len(found), "fact"))
		return
	}
	fmt.Fprintf(a.err, "cnet: %s\n%s\n", verdict(found, bad), wrap("  try: "+next(bad), "       "))
}

// next is what to type: for what a repair cannot mend, something else.
func next(bad []engine.Finding) string {
	var list []string
	for _, f := range bad {
		if f.Next == "" {
			return "cnet repair"
		}
		if !slices.Contains(list, f.Next) {
			list = append(list, f.Next)
		}
	}
	return strings.Join(list, "; ")
}

// showRoots tells what does not hold. What only goes with something else that
// does not hold is counted below it, and told where all is.
func (a *app) showRoots(bad []engine.Finding) {
	var roots []engine.Finding
	with := make(map[fact.Key]int)
	for _, f := range bad {
		if f.Because != nil {
			with[f.Because.Key()]++
		} else {
			roots = append(roots, f)
		}
	}
	for i, f := range roots {
		if i == many {
			fmt.Fprintln(a.out, labelled("", fmt.Sprintf("and %d more like these; cnet check -v tells of all", len(roots)-i)))
			return
		}
		a.showFinding(f)
		if n := with[f.Fact.Key()]; n > 0 {
			fmt.Fprintln(a.out, labelled("", "and "+more(n)+" with it"))
		}
	}
}

func more(n int) string {
	if n == 1 {
		return "1 more that goes"
	}
	return fmt.Sprintf("%d more that go", n)
}

func (a *app) showFinding(f engine.Finding) {
	fmt.Fprintln(a.out, labelled(stateOf(f), f.Fact.Say()))
	lines := []string{detail(f), f.Notice()}
	switch {
	case f.OK():
		lines = nil
	case f.Because != nil:
		lines[1] = "It goes with: " + f.Because.Say()
	case lines[1] == "":
		lines[0] = f.Layer() + ": " + lines[0]
	default:
		lines[1] = f.Layer() + ": " + lines[1]
	}
	for _, l := range lines {
		if l != "" {
			fmt.Fprintln(a.out, labelled("", l))
		}
	}
}

// verdict is all findings in a sentence.
func verdict(found, bad []engine.Finding) string {
	strays := 0
	for _, f := range bad {
		if f.Stray {
			strays++
		}
	}
	facts := count(len(found)-strays, "fact")
	text := fmt.Sprintf("%d of %s do not hold", len(bad)-strays, facts)
	if len(bad) == strays {
		text = "all " + facts + " hold"
	}
	if strays > 0 {
		text += fmt.Sprintf("; %d stray", strays)
	}
	return text
}

func stateOf(f engine.Finding) string {
	switch {
	case f.Err != nil:
		return "unknown"
	case f.Stray:
		return "stray"
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
	Owner   string `json:"owner,omitempty"`
	Kind    string `json:"kind"`
	Layer   string `json:"layer"`
	Say     string `json:"say"`
	State   string `json:"state"`
	Detail  string `json:"detail,omitempty"`
	Because string `json:"because,omitempty"` // what does not hold either, and takes this with it
	Notice  string `json:"notice,omitempty"`  // what somebody would notice
	Next    string `json:"next,omitempty"`    // what to type where cnet repair cannot help
}

func findings(found []engine.Finding) []findingView {
	views := make([]findingView, 0, len(found))
	for _, f := range found {
		v := findingView{
			Owner: f.Owner, Kind: f.Fact.Key().Kind, Layer: f.Layer(), Say: f.Fact.Say(),
			State: stateOf(f), Detail: detail(f), Next: f.Next,
		}
		if f.Because != nil {
			v.Because = f.Because.Say()
		}
		if !f.OK() {
			v.Notice = f.Notice()
		}
		views = append(views, v)
	}
	return views
}
