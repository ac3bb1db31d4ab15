package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/topology"
)

func newNetworkCmd(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "network",
		Short: "Make, delete and show networks",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fail.New(fail.Usage, "network "+args[0], "there is no such command").Try("cnet network --help")
			}
			return c.Help()
		},
	}
	c.AddCommand(newNetworkCreateCmd(a), newNetworkDeleteCmd(a), newNetworkListCmd(a), newNetworkInspectCmd(a))
	return c
}

func newNetworkCreateCmd(a *app) *cobra.Command {
	var s topology.NetworkSpec
	var mtu string
	var names bool
	var ttl time.Duration
	var ifNotExists bool
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a network",
		Long: `Make a network: a bridge with the gateway's address, forwarding, masquerade, and
rules that keep it closed to other networks and to the outside.

Without --subnet it takes the next free /24 of 10.77.0.0/16. Its MTU is that of
the link of the host's default route. With a larger one, such as --mtu jumbo, what
leaves the network is still no larger than that.`,
		Example: `  cnet network create lab
  cnet network create six --ipv6
  cnet network create vault --internal --subnet 192.168.50.0/24`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) (err error) {
			s.Name = args[0]
			if s.MTU, err = parseMTU(mtu, c.Flags().Changed("mtu")); err != nil {
				return err
			}
			if s.DNSTTL, err = wholeSeconds("--dns-ttl", ttl); err != nil {
				return err
			}
			s.NoDNS = !names
			return a.change(c, func(t *topology.Topology, h topology.Host) error {
				if _, err := t.Network(s.Name); err == nil && ifNotExists {
					return nil
				}
				return t.AddNetwork(s, h)
			})
		},
	}
	a.changeFlags(c)
	a.firewallFlag(c)
	fl := c.Flags()
	fl.StringVar(&s.Driver, "driver", topology.Bridge, "`driver`: bridge (a switch) or ptp (a routed cable for each container)")
	fl.StringVar(&s.Subnet, "subnet", "", "IPv4 `subnet`, like 10.77.8.0/24")
	fl.StringVar(&s.Gateway, "gateway", "", "the host's `address` in it (default: the first)")
	fl.BoolVar(&s.IPv6, "ipv6", false, "give it an IPv6 subnet too")
	fl.StringVar(&s.Subnet6, "subnet6", "", "IPv6 `subnet` (implies --ipv6)")
	fl.StringVar(&s.Gateway6, "gateway6", "", "the host's `address` in it (default: the first)")
	fl.BoolVar(&s.Internal, "internal", false, "no way out and no way in")
	fl.BoolVar(&s.ICC, "icc", true, "let its containers reach each other")
	fl.BoolVar(&names, "dns", true, "answer at the gateway for the names of what is in it")
	fl.DurationVar(&ttl, "dns-ttl", 0, "for how `long` an answer may be remembered, like 5s")
	fl.StringVar(&mtu, "mtu", "", "largest packet in `bytes`, or jumbo for the largest there is (default: that of the default route)")
	fl.BoolVar(&s.AllowOverlap, "allow-overlap", false, "allow a subnet that meets others")
	fl.BoolVar(&ifNotExists, "if-not-exists", false, "leave a network that exists as it is")
	return c
}

// wholeSeconds is a flag's length of time in seconds.
func wholeSeconds(flag string, d time.Duration) (int, error) {
	if d < 0 || d%time.Second != 0 {
		return 0, fail.New(fail.Usage, flag+" "+d.String(), "it is a whole number of seconds").Try("%s 5s", flag)
	}
	return int(d / time.Second), nil
}

// parseMTU reads an MTU in bytes, or the word for the largest; 0 if none is given.
func parseMTU(s string, given bool) (int, error) {
	if s == "jumbo" {
		return topology.JumboMTU, nil
	}
	n, err := strconv.Atoi(s)
	if given && (err != nil || n == 0) {
		return 0, fail.New(fail.Usage, fmt.Sprintf("--mtu %q", s), "an MTU is a number of bytes, at least 68, or jumbo").Try("leave --mtu to cnet")
	}
	return n, nil
}

func newNetworkDeleteCmd(a *app) *cobra.Command {
	var ifExists bool
	c := &cobra.Command{
		Use:   "delete NAME...",
		Short: "Delete networks that no container is connected to",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := once("network delete", args); err != nil {
				return err
			}
			return a.change(c, func(t *topology.Topology, _ topology.Host) error {
				for _, name := range args {
					err := t.RemoveNetwork(name)
					if err != nil && !(ifExists && fail.KindOf(err) == fail.NotFound) {
						return err
					}
				}
				return nil
			})
		},
	}
	a.changeFlags(c)
	c.Flags().BoolVar(&ifExists, "if-exists", false, "a network that does not exist is no error")
	return c
}

func newNetworkListCmd(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List networks",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			t, err := a.engine().Topology()
			if err != nil {
				return err
			}
			if a.output != "" {
				return a.data(append([]topology.Network{}, t.Networks...))
			}
			rows := [][]string{{"NAME", "DRIVER", "SUBNET", "GATEWAY", "CONTAINERS", "NOTES"}}
			connected := make(map[string]int)
			for _, k := range t.Containers {
				for _, at := range k.Networks {
					connected[at.Network]++
				}
			}
			for _, n := range t.Networks {
				rows = append(rows, []string{n.Name, n.Driver, n.Subnet.String(), n.Gateway.String(),
					strconv.Itoa(connected[n.Name]), notes(n)})
			}
			return table(a.out, rows)
		},
	}
	a.outputFlag(c)
	return c
}

// members are the containers connected to a network.
func members(t topology.Topology, network string) []topology.Container {
	var list []topology.Container
	for _, c := range t.Containers {
		if c.Attachment(network) != nil {
			list = append(list, c)
		}
	}
	return list
}

func notes(n topology.Network) string {
	var words []string
	if n.IPv6 {
		words = append(words, n.Subnet6.String())
	}
	if n.Internal {
		words = append(words, "internal")
	}
	if !n.Talk() {
		words = append(words, "icc=false")
	}
	if !n.Names() {
		words = append(words, "dns=false")
	}
	if n.Firewall != "iptables" {
		words = append(words, n.Firewall)
	}
	if len(words) == 0 {
		return "-"
	}
	return strings.Join(words, " ")
}

func newNetworkInspectCmd(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "inspect NAME...",
		Short: "Show all of a network",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			t, err := a.engine().Topology()
			if err != nil {
				return err
			}
			return a.inspectAll(args, func(name string) (any, error) { return inspectNetwork(t, name) })
		},
	}
	a.outputFlag(c)
	return c
}
