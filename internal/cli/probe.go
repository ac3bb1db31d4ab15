package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/inside"
	"github.com/cnetlab/cnet/internal/probe"
)

func newProbeCmd(a *app) *cobra.Command {
	var f probeFlags
	c := &cobra.Command{
		Use:   "probe [FROM] TARGET",
		Short: "Ask a server, and name what goes wrong",
		Long: `Ask a server once, from the host or from inside the container FROM. TARGET is
http://HOST[:PORT][/PATH], HOST:PORT for a TCP handshake alone, or
udp://HOST:PORT. Prints the answer or, where there is none, the name of the error
that the kernel gave and what that usually means among containers. The exit code
is 0 if there was an answer and 1 if there was none.

With --count it asks so many times, one after the other, and tells who answered
how often; the exit code is then 0 if all were answered.`,
		Example: `  cnet probe http://127.0.0.1:8080
  cnet probe web 10.77.0.3:5432
  cnet probe web udp://10.77.0.3:53
  cnet probe --count 200 web http://10.76.0.1`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			target, err := probe.Parse(args[len(args)-1])
			if err != nil {
				return err
			}
			if err := positive(c, "count"); err != nil {
				return err
			}
			if err := f.check(target); err != nil {
				return err
			}
			if len(args) == 2 {
				return a.probeFrom(c.Context(), args[0], target, f)
			}
			o := probe.Options{Timeout: f.timeout}
			if f.count == 0 {
				r := await(c.Context(), target, o, f.wait)
				return a.probed(r, r.Text(), r.OK)
			}
			if f.wait > 0 {
				await(c.Context(), target, o, f.wait)
			}
			all := probe.Count(c.Context(), target, o, f.count, f.keepAlive)
			return a.probed(all, all.Text(), all.OK())
		},
	}
	fl := c.Flags()
	fl.DurationVar(&f.timeout, "timeout", probe.DefaultTimeout, "how long one try may take")
	fl.DurationVar(&f.wait, "wait", 0, "how long to try again while the server refuses, as one that starts does")
	fl.IntVar(&f.count, "count", 0, "ask so many times, and tell who answered how often")
	fl.BoolVar(&f.keepAlive, "keep-alive", false, "with --count: ask over one connection, while it stands")
	a.outputFlag(c)
	return c
}

type probeFlags struct {
	timeout, wait time.Duration
	count         int
	keepAlive     bool
}

func (f probeFlags) check(t probe.Target) error {
	switch {
	case f.timeout <= 0:
		return fail.New(fail.Usage, "--timeout "+f.timeout.String(), "it must be longer than 0").Try("--timeout 2s")
	case f.count < 0:
		return fail.New(fail.Usage, fmt.Sprintf("--count %d", f.count), "it must be at least 1").Try("--count 100")
	case f.keepAlive && (f.count == 0 || t.Scheme != probe.HTTP):
		return fail.New(fail.Usage, "--keep-alive", "it goes with --count and a target of http").
			Try("cnet probe --count 10 --keep-alive http://HOST")
	}
	return nil
}

// probeFrom starts over inside a container: names are looked up on other
// threads, so the whole process has to be inside.
func (a *app) probeFrom(ctx context.Context, from string, target probe.Target, f probeFlags) error {
	if err := a.enter(ctx, from, nil, ""); err != nil {
		return err
	}
	args := []string{
		"cnet", "probe", "--timeout", f.timeout.String(), "--wait", f.wait.String(),
		"--keep-alive=" + strconv.FormatBool(f.keepAlive), "--output", a.output,
	}
	if f.count > 0 {
		args = append(args, "--count", strconv.Itoa(f.count))
	}
	return inside.Exec("/proc/self/exe", append(args, "--", target.String()))
}

// probed shows what a probe met: a result, or what it says to people.
func (a *app) probed(result any, text string, ok bool) (err error) {
	if a.output != "" {
		err = a.data(result)
	} else {
		_, err = fmt.Fprint(a.out, text)
	}
	if err == nil && !ok {
		return exit(fail.Failed)
	}
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
