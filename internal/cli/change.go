package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/engine"
	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/fact"
)

// change runs a mutation as the flags say: for real, explained or dry.
func (a *app) change(c *cobra.Command, mutate engine.Mutation) error {
	e, w := a.engine(), a.watcher()
	e.Watch = w
	if a.dryRun {
		ch, err := e.Plan(c.Context(), mutate)
		if err != nil {
			return err
		}
		return a.showPlan(ch)
	}
	ch, err := e.Change(c.Context(), typed(), mutate)
	w.end()
	if err != nil {
		return err
	}
	if err := a.settle(c.Context(), ch.After); err != nil {
		return err
	}
	return a.report(ch)
}

// typed is the command as the user typed it, for the lock, the journal and the
// head of a script, where it has to stay on one line.
func typed() string {
	words := []string{"cnet"}
	for _, w := range os.Args[1:] {
		if w != "--dry-run" && w != "--explain" {
			words = append(words, fact.Quote(w))
		}
	}
	return strings.NewReplacer("\n", `\n`, "\r", `\r`).Replace(strings.Join(words, " "))
}

// showPlan shows what a dry run found.
func (a *app) showPlan(ch engine.Change) error {
	if a.output != "" {
		r := resultOf(ch)
		r.DryRun = true
		return a.data(r)
	}
	if err := writeScript(a.out, typed(), ch.Plan); err != nil {
		return err
	}
	return a.beside(ch)
}

// beside tells, below a script, of the processes that the change starts or ends and
// the script does not.
func (a *app) beside(ch engine.Change) error {
	before, err := a.kept(ch.Before)
	after, more := a.kept(ch.After)
	if err := errors.Join(err, more); err != nil {
		return err
	}
	for _, k := range after {
		if k.needs(ch.After) && !k.needs(ch.Before) {
			fmt.Fprintf(a.out, "\n%s\n", wrap("# Not in this script: cnet also starts the process "+k.Name+". Without it: "+k.why, "# "))
		}
	}
	for _, k := range before {
		if k.needs(ch.Before) && !k.needs(ch.After) {
			fmt.Fprintf(a.out, "\n%s\n", wrap("# Not in this script: cnet also ends the process "+k.Name+".", "# "))
		}
	}
	return nil
}

// report shows what a change did.
func (a *app) report(ch engine.Change) error { return a.reportAs(ch, summary) }

// reportAs shows what a change did, to people in these lines.
func (a *app) reportAs(ch engine.Change, lines func(engine.Change) []string) error {
	if a.output != "" {
		return a.data(resultOf(ch))
	}
	for _, line := range lines(ch) {
		fmt.Fprintln(a.out, line)
	}
	for _, line := range notes6(ch) {
		fmt.Fprintln(a.err, wrap("cnet: "+line, "  "))
	}
	return nil
}

// result is a change as data.
type result struct {
	DryRun     bool                 `json:"dry_run,omitempty"`
	Steps      []step               `json:"steps"`
	Gone       []string             `json:"gone,omitempty"`
	Networks   []topology.Network   `json:"networks,omitempty"`
	Containers []topology.Container `json:"containers,omitempty"`
	Services   []topology.Service   `json:"services,omitempty"`
	Removed    []string             `json:"removed,omitempty"`
}

type step struct {
	Verb     string   `json:"verb"`
	Kind     string   `json:"kind"`
	Say      string   `json:"say"`
	Why      string   `json:"why"`
	Commands []string `json:"commands"`
}

func resultOf(ch engine.Change) result {
	r := result{Steps: make([]step, 0, len(ch.Plan.Steps))}
	for _, s := range ch.Plan.Steps {
		st := step{Verb: s.Verb.String(), Kind: s.Fact.Key().Kind, Say: s.Fact.Say(), Why: s.Fact.Why()}
		for _, c := range s.Fact.Commands(s.Verb) {
			st.Commands = append(st.Commands, c.String())
		}
		r.Steps = append(r.Steps, st)
	}
	for _, f := range ch.Plan.Gone {
		r.Gone = append(r.Gone, f.Say())
	}
	d := difference(ch)
	r.Networks, r.Containers = append(d.newNetworks, d.changedNetworks...), append(d.newContainers, d.changedContainers...)
	r.Services = append(d.newServices, d.changedServices...)
	r.Removed = append(append(d.goneContainers, d.goneServices...), d.goneNetworks...)
	return r
}

// oneOnly refuses a flag that belongs to one container where several are named.
func oneOnly(names []string, flag string, given bool) error {
	if given && len(names) != 1 {
		return fail.New(fail.Usage, "--"+flag, "it belongs to one container, and %d are named", len(names)).
			Try("one cnet create for each")
	}
	return nil
}

// once refuses a name that is given twice.
func once(command string, names []string) error {
	seen := make(map[string]bool, len(names))
	for _, n := range names {
		if seen[n] {
			return fail.New(fail.Usage, command, "%s is named twice", fact.Quote(n))
		}
		seen[n] = true
	}
	return nil
}
