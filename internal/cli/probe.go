package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/inside"
	"github.com/cnetlab/cnet/internal/probe"
)

func newProbeCmd(a *app) *cobra.Command {
	var timeout, wait time.Duration
	c := &cobra.Command{
		Use:   "probe [FROM] TARGET",
		Short: "Ask a server, and name what goes wrong",
		Long: `Ask a server once, from the host or from inside the container FROM. TARGET is
http://HOST[:PORT][/PATH], HOST:PORT for a TCP handshake alone, or
udp://HOST:PORT. Prints the answer or, where there is none, the name of the error
that the kernel gave and what that usually means among containers. The exit code
is 0 if there was an answer and 1 if there was none.`,
		Example: `  cnet probe http://127.0.0.1:8080
  cnet probe web 10.77.0.3:5432
  cnet probe web udp://10.77.0.3:53`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			target, err := probe.Parse(args[len(args)-1])
			if err != nil {
				return err
			}
			if timeout <= 0 {
				return fail.New(fail.Usage, "--timeout "+timeout.String(), "it must be longer than 0").Try("--timeout 2s")
			}
			if len(args) == 2 {
				return a.probeFrom(c.Context(), args[0], target, timeout, wait)
			}
			return a.probed(await(c.Context(), target, probe.Options{Timeout: timeout}, wait))
		},
	}
	c.Flags().DurationVar(&timeout, "timeout", probe.DefaultTimeout, "how long one try may take")
	c.Flags().DurationVar(&wait, "wait", 0, "how long to try again while the server refuses, as one that starts does")
	a.outputFlag(c)
	return c
}

// probeFrom starts over inside a container: names are looked up on other
// threads, so the whole process has to be inside.
func (a *app) probeFrom(ctx context.Context, from string, target probe.Target, timeout, wait time.Duration) error {
	if err := a.enter(ctx, from, nil, ""); err != nil {
		return err
	}
	return inside.Exec("/proc/self/exe", []string{
		"cnet", "probe", "--timeout", timeout.String(), "--wait", wait.String(), "--output", a.output, "--", target.String(),
	})
}

// probed shows what a probe met.
func (a *app) probed(r probe.Result) error {
	if err := a.showProbe(r); err != nil {
		return err
	}
	if !r.OK {
		return exit(fail.Failed)
	}
	return nil
}

func (a *app) showProbe(r probe.Result) error {
	if a.output != "" {
		return a.data(r)
	}
	_, err := fmt.Fprint(a.out, r.Text())
	return err
}

// await asks again and again while the server refuses, as one that is just
// starting does, until wait is over.
func await(ctx context.Context, t probe.Target, o probe.Options, wait time.Duration) probe.Result {
	const pause = 20 * time.Millisecond
	for end := time.Now().Add(wait); ; {
		r := probe.Run(ctx, t, o)
		if r.Errno != "ECONNREFUSED" || time.Now().After(end) {
			return r
		}
		select {
		case <-ctx.Done():
			return r
		case <-time.After(pause):
		}
	}
}
