package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/engine"
	"github.com/cnetlab/cnet/internal/topology"
)

func newUpCmd(a *app) *cobra.Command {
	return a.wholeCmd("up", "Make everything again, after a reboot or cnet down",
		`Make all networks and containers again that cnet knows of, after a reboot or
after cnet down: with the same addresses, MAC addresses and published ports. What
cannot be made is named, and the rest is made; the exit code is then 6. Programs
are not started again. scripts/provision.sh installs a unit that does this at boot.`,
		func(c *cobra.Command, e *engine.Engine) (engine.Change, error) {
			return e.Up(c.Context(), typed(), a.dryRun)
		}, upLines)
}

func newDownCmd(a *app) *cobra.Command {
	return a.wholeCmd("down", "Take everything out of the kernel, to be made again by cnet up",
		`Take all networks and containers out of the kernel, so that the host is as it
was before cnet, and end what cnet exec -d started. cnet still knows them, with
their addresses and ports: cnet up makes them again, cnet reset forgets them.`,
		func(c *cobra.Command, e *engine.Engine) (engine.Change, error) {
			return e.Down(c.Context(), typed(), a.dryRun)
		}, downLines)
}

// upLines tell of the objects for which something was made.
func upLines(ch engine.Change) []string {
	touched := owners(ch)
	networks, containers := ch.After.Networks[:0:0], ch.After.Containers[:0:0]
	for _, n := range ch.After.Networks {
		if touched["network "+n.Name] {
			networks = append(networks, n)
		}
	}
	for _, c := range ch.After.Containers {
		if touched["container "+c.Name] {
			containers = append(containers, c)
		}
	}
	lines := append(each(networks, "network", "is up", "are up", ofNetwork), each(containers, "container", "is up", "are up", ofContainer)...)
	if len(lines) == 0 {
		return sentences(ch.Plan.Steps)
	}
	for i := range lines {
		lines[i] = wrap(lines[i], "  ")
	}
	return lines
}

// downLines tell of the objects of which something was taken away.
func downLines(ch engine.Change) []string {
	touched := owners(ch)
	var containers, networks []string
	for _, c := range ch.After.Containers {
		if touched["container "+c.Name] {
			containers = append(containers, c.Name)
		}
	}
	for _, n := range ch.After.Networks {
		if touched["network "+n.Name] {
			networks = append(networks, n.Name)
		}
	}
	lines := append(down("container", containers), down("network", networks)...)
	if len(lines) == 0 {
		return sentences(ch.Plan.Steps)
	}
	return lines
}

func down(thing string, names []string) []string {
	switch len(names) {
	case 0:
		return nil
	case 1:
		return []string{thing + " " + names[0] + " is down"}
	}
	return []string{wrap(fmt.Sprintf("%s are down: %s", count(len(names), thing), some(names)), "  ")}
}

// owners are the objects that the steps of a change are for.
func owners(ch engine.Change) map[string]bool {
	owner := topology.Compile(ch.After).Owner
	touched := make(map[string]bool)
	for _, s := range ch.Plan.Steps {
		touched[owner[s.Fact.Key()]] = true
	}
	return touched
}

// hintIdle tells who looks at a topology of which nothing is up, and how that is
// changed, and reports whether it is so.
func (a *app) hintIdle(ctx context.Context, t topology.Topology) bool {
	idle, err := a.engine().Idle(ctx, t)
	if err != nil || !idle {
		return false
	}
	fmt.Fprintln(a.err, "cnet: nothing is up in this boot\n  try: cnet up")
	return true
}
