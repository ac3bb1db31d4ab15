package cli

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	"github.com/cnetlab/cnet/internal/engine"
	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/proc"
	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/fact"
)

// ended are the processes of containers that are to be kept and do not run.
func ended(t topology.Topology) (list []proc.Process, err error) {
	names, err := proc.Containers()
	for _, name := range names {
		if _, gone := t.Container(name); gone != nil {
			continue
		}
		records, err := proc.List(name)
		if err != nil {
			return nil, err
		}
		for _, p := range records {
			if p.Keep && !p.Runs() {
				list = append(list, p)
			}
		}
	}
	return list, err
}

// dead are the processes that are to be kept and do not run, in words.
func (a *app) dead(t topology.Topology) (words []string, list []proc.Process, err error) {
	own, err := a.kept(t)
	if err != nil {
		return nil, nil, err
	}
	for _, k := range own {
		if k.needs(t) && !k.Runs() {
			words = append(words, "the process "+k.Name)
		}
	}
	list, err = ended(t)
	for _, p := range list {
		words = append(words, "of container "+p.Container+": "+process{Process: p}.words())
	}
	return words, list, err
}

// revive starts processes of containers again. Who enters a container stays
// there, so that each is started by a cnet of its own.
func (a *app) revive(ctx context.Context, list []proc.Process) error {
	for _, p := range list {
		args := []string{"exec", "-d", "--keep", "--workdir", p.Dir}
		for _, e := range p.Env {
			args = append(args, "--env", e)
		}
		cmd := exec.CommandContext(ctx, "/proc/self/exe", append(append(args, p.Container, "--"), p.Command...)...)
		cmd.Args[0] = "cnet"
		if out, err := cmd.CombinedOutput(); err != nil {
			why := strings.TrimPrefix(strings.TrimSpace(string(out)), "cnet: ")
			return fail.New(fail.Failed, "start "+p.Command[0]+" in "+p.Container+" again", "%s", why).Try("cnet logs %d", p.PID)
		}
		if err := proc.Forget(p); err != nil {
			return err
		}
	}
	return nil
}

// endedFact is the fact that a process of a container runs. No kernel holds it: it
// is not part of a plan.
type endedFact struct{ proc.Process }

func (f endedFact) Key() fact.Key {
	return fact.Key{Kind: "process", Name: fmt.Sprintf("%s %d", f.Container, f.PID)}
}

func (f endedFact) Say() string {
	return fmt.Sprintf("In container %s runs: %s (process %d).", f.Container, process{Process: f.Process}.words(), f.PID)
}

func (f endedFact) Why() string { return "It was started to be kept." }

func (f endedFact) Probe(context.Context) (fact.Truth, error) {
	if f.Runs() {
		return fact.True(), nil
	}
	return fact.False(), nil
}

func (f endedFact) Make(context.Context) error  { return fmt.Errorf("cnet repair starts it again") }
func (f endedFact) Break(context.Context) error { return nil }

func (f endedFact) Commands(fact.Verb) []fact.Command {
	return []fact.Command{fact.Cmd("cnet", "repair")}
}

func endedFindings(t topology.Topology) ([]engine.Finding, error) {
	list, err := ended(t)
	findings := make([]engine.Finding, len(list))
	for i, p := range list {
		findings[i] = engine.Finding{Owner: "container " + p.Container, Fact: endedFact{p}, Truth: fact.False()}
	}
	return findings, err
}
