package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/topology"
)

// maxCount is more containers than one host carries: 320 kB of kernel memory each.
const maxCount = 65536

// createFlags are the flags of create; those of connect and publish do the
// next steps too.
type createFlags struct {
	attach      attachFlags
	networks    []string
	publish     []string
	labels      []string
	pid         int
	netns       string
	share       string
	count       int
	prefix      string
	ifNotExists bool
}

func newCreateCmd(a *app) *cobra.Command {
	var f createFlags
	c := &cobra.Command{
		Use:   "create NAME...",
		Short: "Make containers: network namespaces with lo up",
		Long: `Make containers: network namespaces of their own, with the loopback link up.

With --network, --ip, --publish and the like, connect and publish them at once.
With --pid or --netns, adopt a namespace that something else owns: a container
run with network none, a service, a shell under unshare -n. Deleting it then
takes back only what cnet added.

With --share, join the stack of another container, as the members of a pod do:
one namespace, one address, the ports and localhost in common. The stack has the
name of its first member and lives as long as its last; to connect or to publish
a member is to connect or to publish all.`,
		Example: `  cnet create web --network lab --publish 8080:80
  cnet create --count 3 --prefix node --network lab
  cnet create box --pid 4711 --network lab
  cnet create helper --share web`,
		RunE: func(c *cobra.Command, args []string) error {
			names, err := f.names(args)
			if err != nil {
				return err
			}
			ports, err := parsePorts(f.publish)
			if err != nil {
				return err
			}
			labels, err := topology.ParseLabels(f.labels)
			if err != nil {
				return err
			}
			return a.change(c, func(t *topology.Topology, h topology.Host) error {
				specs, err := f.specs(t, names, ports, labels)
				if err != nil {
					return err
				}
				if f.usesDefault(ports, t) && len(specs) > 0 {
					if err := ensureDefault(t, h); err != nil {
						return err
					}
				}
				if f.share != "" {
					return join(t, specs, h)
				}
				return t.AddContainers(specs, h)
			})
		},
	}
	a.changeFlags(c)
	a.firewallFlag(c)
	f.attach.add(c)
	fl := c.Flags()
	fl.StringArrayVar(&f.networks, "network", nil, "connect to this `network` (may be given again)")
	fl.StringArrayVarP(&f.publish, "publish", "p", nil, "publish this `port`: [HOSTIP:][HOSTPORT:]PORT[/PROTO] (may be given again)")
	fl.StringArrayVarP(&f.labels, "label", "l", nil, "a `label` KEY=VALUE, by which services choose it (may be given again)")
	fl.IntVar(&f.pid, "pid", 0, "adopt the namespace of this running process, a `pid`")
	fl.StringVar(&f.netns, "netns", "", "adopt the namespace at this `path`")
	fl.StringVar(&f.share, "share", "", "join the stack of this `container` (a pod)")
	fl.IntVar(&f.count, "count", 0, "make so many containers, PREFIX1 to PREFIXN")
	fl.StringVar(&f.prefix, "prefix", "", "what their names begin with")
	fl.BoolVar(&f.ifNotExists, "if-not-exists", false, "leave containers that exist as they are")
	return c
}

// names are the names to create: those given, or PREFIX1 to PREFIXN.
func (f *createFlags) names(args []string) ([]string, error) {
	bulk := f.count != 0 || f.prefix != ""
	switch {
	case bulk && len(args) > 0:
		return nil, fail.New(fail.Usage, "create", "give names, or --count and --prefix, not both")
	case f.count > maxCount:
		return nil, fail.New(fail.Usage, "create", "--count is at most %d", maxCount)
	case bulk && (f.count < 1 || f.prefix == ""):
		return nil, fail.New(fail.Usage, "create", "--count (at least 1) and --prefix go together").
			Try("cnet create --count 3 --prefix node")
	case !bulk && len(args) == 0:
		return nil, fail.New(fail.Usage, "create", "name at least one container").Try("cnet create web")
	}
	for i := 1; i <= f.count; i++ {
		args = append(args, fmt.Sprintf("%s%d", f.prefix, i))
	}
	if err := once("create", args); err != nil {
		return nil, err
	}
	for flag, given := range map[string]bool{
		"ip": f.attach.IP != "", "ip6": f.attach.IP6 != "", "mac": f.attach.MAC != "",
		"publish": len(f.publish) > 0, "pid": f.pid != 0, "netns": f.netns != "",
	} {
		if err := oneOnly(args, flag, given); err != nil {
			return nil, err
		}
	}
	return args, nil
}

// join adds containers to a pod. Where they are to be connected and published,
// their stack is.
func join(t *topology.Topology, specs []topology.ContainerSpec, h topology.Host) error {
	for _, s := range specs {
		networks, ports := s.Networks, s.Publish
		s.Networks, s.Publish = nil, nil
		if err := t.AddContainer(s, h); err != nil {
			return err
		}
		for _, place := range networks {
			if err := t.Connect(s.Name, place); err != nil {
				return err
			}
		}
		if len(ports) == 0 {
			continue
		}
		if err := t.Published(s.Name, ports, h); err != nil {
			return err
		}
	}
	return nil
}

// specs are the containers to be made, with all that the flags ask for.
func (f *createFlags) specs(t *topology.Topology, names []string, ports []topology.Port, labels map[string]string) ([]topology.ContainerSpec, error) {
	networks := f.networks
	if f.usesDefault(ports, t) {
		networks = []string{topology.DefaultNetwork}
	}
	var places []topology.AttachSpec
	for i, n := range networks {
		place := f.attach.spec(n)
		if i > 0 { // addresses and names are meant for the first
			place = topology.AttachSpec{Network: n}
		}
		places = append(places, place)
	}
	list := make([]topology.ContainerSpec, 0, len(names))
	for _, name := range names {
		if _, err := t.Container(name); err == nil && f.ifNotExists {
			continue
		}
		netns, err := f.namespace(name)
		if err != nil {
			return nil, err
		}
		list = append(list, topology.ContainerSpec{Name: name, Netns: netns, Share: f.share, Labels: labels, Networks: places, Publish: ports})
	}
	return list, nil
}

// usesDefault reports whether the flags need a network and none is named, nor is one
// shared.
func (f *createFlags) usesDefault(ports []topology.Port, t *topology.Topology) bool {
	if len(f.networks) > 0 {
		return false
	}
	holder, err := t.Holder(f.share)
	return f.attach.given() || len(ports) > 0 && (err != nil || len(holder.Networks) == 0)
}

// namespace is the path of the namespace to adopt, if any.
func (f *createFlags) namespace(name string) (string, error) {
	switch {
	case f.pid != 0 && f.netns != "":
		return "", fail.New(fail.Usage, "create "+name, "--pid and --netns both name a namespace; give one")
	case f.pid < 0, f.pid == 0 && f.attach.cmd.Flags().Changed("pid"):
		return "", fail.New(fail.Usage, "create "+name, "%d is no process", f.pid)
	case f.pid != 0:
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", f.pid)); err != nil {
			return "", fail.New(fail.NotFound, "create "+name, "there is no process %d", f.pid)
		}
		return fmt.Sprintf("/proc/%d/ns/net", f.pid), nil
	case f.netns != "": // the next command may run in another folder
		return filepath.Abs(f.netns)
	}
	return "", nil
}

// ensureDefault makes the default network if it is not there.
func ensureDefault(t *topology.Topology, h topology.Host) error {
	if _, err := t.Network(topology.DefaultNetwork); err == nil {
		return nil
	}
	return t.AddNetwork(topology.NetworkSpec{Name: topology.DefaultNetwork, ICC: true}, h)
}

func parsePorts(specs []string) ([]topology.Port, error) {
	ports := make([]topology.Port, 0, len(specs))
	for _, s := range specs {
		p, err := topology.ParsePort(s)
		if err != nil {
			return nil, err
		}
		ports = append(ports, p)
	}
	return ports, nil
}

func (a *app) firewallFlag(c *cobra.Command) {
	c.Flags().StringVar(&a.firewall, "firewall", "", "`backend` for new networks: iptables, nftables or auto (or $CNET_FIREWALL)")
	completeFirewall(c)
}

func completeFirewall(c *cobra.Command) {
	_ = c.RegisterFlagCompletionFunc("firewall",
		cobra.FixedCompletions([]string{"iptables", "nftables", "auto"}, cobra.ShellCompDirectiveNoFileComp))
}
