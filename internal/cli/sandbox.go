package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/sandbox"
)

func newSandboxCmd(a *app) *cobra.Command {
	var world bool
	c := &cobra.Command{
		Use:   "sandbox [--world] [-- CMD [ARG...]]",
		Short: "Open a shell, or run a command, in a throw-away host",
		Long: `Open a shell, or run a command, in a host of its own: with its own links, routes,
rules, processes, /run, and a copy of /etc and /var/lib that takes what is
written. It needs no root where the kernel lets users make user namespaces. When
the command ends, the host and all that is in it are gone. The exit code is the
command's.

With --world the host has an uplink, eth0, with 203.0.113.2 and 2001:db8::2, to
the namespace outside: a far side that is 203.0.113.1 on the segment and
198.51.100.1 (2001:db8:100::1) as an address of the internet. A server answers
there on port 80, TCP and UDP, and writes down who asked in /run/outside.log. The
namespace neighbour, 203.0.113.3, is on the segment too.`,
		Example: `  cnet sandbox --world
  cnet sandbox -- sh -c 'cnet create web && cnet list'`,
		RunE: func(c *cobra.Command, args []string) error {
			return a.sandbox(c.Context(), sandbox.Options{World: world, Args: args})
		},
	}
	fl := c.Flags()
	fl.SetInterspersed(false) // what stands after CMD is the command's
	fl.BoolVar(&world, "world", false, "with an uplink and an outside to talk to")
	return c
}

// sandbox runs a command in a sandbox. Signals are for the command to obey, so
// they do not end the sandbox as they end other commands.
func (a *app) sandbox(ctx context.Context, o sandbox.Options) error {
	o.Stdin, o.Stdout, o.Stderr = a.in, a.out, a.err
	code, err := sandbox.Run(context.WithoutCancel(ctx), o)
	if err == nil && code != 0 {
		err = exit(code)
	}
	return err
}
