package cli

import (
	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/topology"
)

// attachFlags say how a container is attached to a network.
type attachFlags struct {
	topology.AttachSpec
	defaultRoute bool
	cmd          *cobra.Command
}

func (f *attachFlags) add(c *cobra.Command) {
	f.cmd = c
	fl := c.Flags()
	fl.StringVar(&f.IP, "ip", "", "IPv4 `address` (default: the next free one)")
	fl.StringVar(&f.IP6, "ip6", "", "IPv6 `address` (default: follows the IPv4 address)")
	fl.StringVar(&f.MAC, "mac", "", "link `address` (default: follows the IPv4 address)")
	fl.StringVar(&f.Interface, "interface", "", "`name` of the link inside (default: eth0, eth1 …)")
	fl.StringArrayVar(&f.Aliases, "alias", nil, "another `name` of the container in this network (may be given again)")
	fl.BoolVar(&f.defaultRoute, "default-route", false, "lead the container's default route by this network, or =false: do not (left out: if it has none yet)")
}

// given reports whether any of the flags was set.
func (f *attachFlags) given() bool {
	return f.IP != "" || f.IP6 != "" || f.MAC != "" || f.Interface != "" || len(f.Aliases) > 0 ||
		f.cmd.Flags().Changed("default-route")
}

func (f *attachFlags) spec(network string) topology.AttachSpec {
	s := f.AttachSpec
	s.Network = network
	if f.cmd.Flags().Changed("default-route") {
		s.DefaultRoute = &f.defaultRoute
	}
	return s
}

func newConnectCmd(a *app) *cobra.Command {
	var f attachFlags
	c := &cobra.Command{
		Use:   "connect NAME [NETWORK]",
		Short: "Plug a container into a network",
		Long: `Plug a container into a network: a cable, a bridge port, an address, routes.
Without NETWORK, the network "default" is meant; it is made on first use.`,
		Example: `  cnet connect web
  cnet connect web lab --ip 10.77.0.80 --alias www`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			return a.change(c, func(t *topology.Topology, h topology.Host) error {
				if _, err := t.Container(args[0]); err != nil {
					return err
				}
				network := topology.DefaultNetwork
				if len(args) == 2 {
					network = args[1]
				} else if err := ensureDefault(t, h); err != nil {
					return err
				}
				return t.Connect(args[0], f.spec(network))
			})
		},
	}
	a.changeFlags(c)
	a.firewallFlag(c)
	f.add(c)
	return c
}

func newDisconnectCmd(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "disconnect NAME [NETWORK]",
		Short: "Unplug a container from a network",
		Long: `Unplug a container from a network. NETWORK may be left out when there is only
one. Published ports that lead there go too.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			network := ""
			if len(args) == 2 {
				network = args[1]
			}
			return a.change(c, func(t *topology.Topology, _ topology.Host) error {
				return t.Disconnect(args[0], network)
			})
		},
	}
	a.changeFlags(c)
	return c
}
