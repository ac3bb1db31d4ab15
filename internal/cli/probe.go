package cli

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/inside"
	"github.com/cnetlab/cnet/internal/probe"
)

func newProbeCmd(a *app) *cobra.Command {
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "probe [FROM] TARGET",
		Short: "Ask a server, and name what goes wrong",
		Long: `Ask a server once, from the host or from inside the container FROM. TARGET is
http://HOST[:PORT][/PATH], HOST:PORT for a TCP handshake alone, or
udp://HOST:PORT. Prints the answer or, where there is none, the name of the error
that the kernel gave and what that usually means among containers. The exit code
is 0 if there was an answer and 1 if there was none.`,
		Example: `  cnet probe http://127.0.0.1:8080
  cnet probe web db:5432
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
				return a.probeFrom(args[0], target, timeout)
			}
			return a.probed(probe.Run(c.Context(), target, probe.Options{Timeout: timeout}))
		},
	}
	c.Flags().DurationVar(&timeout, "timeout", probe.DefaultTimeout, "how long to wait for all of it")
	a.outputFlag(c)
	return c
}

// probeFrom starts over inside a container: names are looked up on other
// threads, so the whole process has to be inside.
func (a *app) probeFrom(from string, target probe.Target, timeout time.Duration) error {
	if err := a.enter(from, nil, ""); err != nil {
		return err
	}
	return inside.Exec("/proc/self/exe", []string{
		"cnet", "probe", "--timeout", timeout.String(), "--output", a.output, "--", target.String(),
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
	switch a.output {
	case "":
		_, err := fmt.Fprint(a.out, r.Text())
		return err
	case "yaml": // with the names that JSON has
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if text, err = yaml.JSONToYAML(text); err != nil {
			return err
		}
		_, err = a.out.Write(text)
		return err
	}
	return a.data(r)
}
