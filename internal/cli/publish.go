package cli

import (
	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/topology"
)

const portForm = `A port is written [HOSTIP:][HOSTPORT[-END]:]PORT[-END][/tcp|udp|sctp].
Without HOSTIP it answers on every address of the host; without HOSTPORT the
host's port has the number of the container's.`

func newPublishCmd(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "publish NAME PORT...",
		Short: "Make ports of a container answer on the host",
		Long:  "Make ports of a container answer on the host's addresses.\n\n" + portForm,
		Example: `  cnet publish web 8080:80
  cnet publish dns 127.0.0.1:53:53/udp
  cnet publish media 8000-8010:9000-9010`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			ports, err := parsePorts(args[1:])
			if err != nil {
				return err
			}
			return a.change(c, func(t *topology.Topology, h topology.Host) error {
				return t.Published(args[0], ports, h)
			})
		},
	}
	a.changeFlags(c)
	return c
}

func newUnpublishCmd(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "unpublish NAME [PORT...]",
		Short: "Take published ports back",
		Long:  "Take published ports back: those named, or all of the container's.\n\n" + portForm,
		Args:  cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ports, err := parsePorts(args[1:])
			if err != nil {
				return err
			}
			return a.change(c, func(t *topology.Topology, _ topology.Host) error {
				return t.Unpublished(args[0], ports)
			})
		},
	}
	a.changeFlags(c)
	return c
}
