package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/demo"
	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/sandbox"
)

type demoFlags struct {
	story  string
	pause  bool
	step   int
	list   bool
	inside bool
}

func newDemoCmd(a *app) *cobra.Command {
	var f demoFlags
	c := &cobra.Command{
		Use:   "demo [STORY]",
		Short: "Tell the whole story, in a sandbox, and prove each step",
		Long: `Tell a story, in a sandbox of its own: network, how container networking works,
from an empty namespace to a published port; discovery, how the kernel finds one
of several containers that can answer; canary, how it shares traffic between two
versions; sidecar, a proxy that tries again, and that a container does not
notice; or edge, one that leads requests by what they say. Without STORY it is
the first.

Every step says what it is about, shows the commands that do it by hand, really
does it, the failing ones too, and checks what it claims. A claim that is not true
on this kernel ends the demo with exit code 6.`,
		Example: `  cnet demo
  cnet demo --pause
  cnet demo discovery
  cnet demo --step 13`,
		Args:      cobra.MaximumNArgs(1),
		ValidArgs: demo.Stories(),
		RunE: func(c *cobra.Command, args []string) error {
			f.story = append(args, demo.Stories()[0])[0]
			switch {
			case f.list:
				return demo.List(a.out, f.story)
			case f.inside && sandbox.Inside():
				return a.demo(c.Context(), f)
			}
			return a.demoSandbox(c.Context(), f)
		},
	}
	fl := c.Flags()
	fl.BoolVar(&f.pause, "pause", false, "wait for a key after each step")
	fl.IntVar(&f.step, "step", 1, "start with this step; those before are done silently")
	fl.BoolVar(&f.list, "list", false, "list the steps")
	fl.BoolVar(&f.inside, "inside", false, "")
	_ = fl.MarkHidden("inside")
	return c
}

// demoSandbox runs the demo in a sandbox with a world.
func (a *app) demoSandbox(ctx context.Context, f demoFlags) error {
	if f.step < 1 {
		return fail.New(fail.Usage, fmt.Sprintf("--step %d", f.step), "the steps begin with 1").Try("cnet demo --list")
	}
	if err := demo.List(io.Discard, f.story); err != nil {
		return err
	}
	args := []string{"/proc/self/exe", "demo", f.story, "--inside", fmt.Sprintf("--step=%d", f.step)}
	if f.pause {
		args = append(args, "--pause")
	}
	return a.sandbox(ctx, sandbox.Options{World: true, Args: args})
}

// demo tells the story here.
func (a *app) demo(ctx context.Context, f demoFlags) error {
	err := demo.Run(ctx, demo.Options{
		Story: f.story, Out: a.out, In: a.in, Pause: f.pause, From: f.step, Color: styleFor(a.out).on, Width: width,
	})
	if ctx.Err() != nil {
		const interrupted = 130 // as shells say it
		return exit(interrupted)
	}
	return err
}
