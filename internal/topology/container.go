package topology

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode"

	"github.com/cnetlab/cnet/internal/fail"
)

// ContainerSpec is what a user says of a container to be made, and of what it
// is plugged into at once.
type ContainerSpec struct {
	Name     string
	Netns    string // path of a namespace to adopt; empty to make one
	Share    string // container whose stack to join
	Stack    string // name of the stack to hold, where it is not the container's
	Labels   map[string]string
	Networks []AttachSpec
	Publish  []Port
}

// AddContainer adds a container, connected and published as its words say.
func (t *Topology) AddContainer(s ContainerSpec, h Host) error {
	return t.AddContainers([]ContainerSpec{s}, h)
}

// AddContainers adds containers. What has to be known of the topology and the
// host is looked up once for all.
func (t *Topology) AddContainers(specs []ContainerSpec, h Host) error {
	x := t.index()
	fresh := make([]Container, 0, len(specs))
	var ports []claim
	servers, search := h.Resolvers()
	x.reserve(specs)
	for _, s := range specs {
		c, err := x.container(s, h)
		if err != nil {
			return err
		}
		c.Nameservers, c.Search = servers, search
		for _, a := range s.Networks {
			if err := x.connect(&c, a); err != nil {
				return err
			}
		}
		if len(s.Publish) > 0 {
			if err := t.publishable(&c, s.Publish); err != nil {
				return err
			}
			c.Publish = append(c.Publish, s.Publish...)
			ports = append(ports, c.claims()...)
		}
		fresh = append(fresh, c)
	}
	if err := t.claim(ports, h); err != nil {
		return err
	}
	t.Containers = append(t.Containers, fresh...)
	t.Sort()
	return nil
}

// container is a new one that is not connected to anything.
func (x *index) container(s ContainerSpec, h Host) (Container, error) {
	c, what := Container{Name: s.Name, Netns: s.Netns}, "container "+s.Name
	if err := CheckName("container", s.Name); err != nil {
		return c, err
	}
	if len(s.Labels) > 0 {
		c.Labels = s.Labels
	}
	if err := checkLabels(c.Labels); err != nil {
		return c, err
	}
	if _, err := x.topo.Service(s.Name); err == nil {
		return c, fail.New(fail.Conflict, what, "a service has that name, and names are for both").Try("another name, like %s-1", s.Name)
	}
	if x.named(s.Name) {
		return c, fail.New(fail.Conflict, what, "there is one of that name").Try("cnet inspect %s", s.Name)
	}
	if s.Stack == s.Name {
		s.Stack = ""
	}
	switch {
	case s.Netns != "" && s.Share != "":
		return c, fail.New(fail.Usage, what, "it can adopt a namespace or share one, not both")
	case s.Stack != "" && s.Share != "":
		return c, fail.New(fail.Usage, what, "it can hold a stack or share one, not both")
	case s.Netns != "":
		id, err := x.adoptable(s, h)
		if err != nil {
			return c, err
		}
		c.NetnsID, c.NetnsBoot = id.Inode, id.Boot
	case s.Share != "":
		holder, err := x.topo.Holder(s.Share)
		if err != nil {
			return c, err
		}
		s.Share = holder.Name
	}
	if err := x.unstacked(s); err != nil {
		return c, err
	}
	c.Share, c.Stack = s.Share, s.Stack
	return c, x.vacant(c, h)
}

// vacant refuses a container in whose place there is a namespace that is not cnet's.
func (x *index) vacant(c Container, h Host) error {
	for _, name := range []string{c.Name, c.StackName()} {
		path := NetnsPath(name)
		joined := c.Share != "" && c.Share == x.stacks()[name]
		if c.Netns != path && !joined && h.Exists(path) {
			return fail.New(fail.Conflict, "container "+c.Name, "%s exists, and cnet did not make it", path).
				Try("cnet create %s --netns %s, to adopt it", name, path)
		}
	}
	return nil
}

// adoptable identifies the namespace to adopt; one that a container has already
// is refused.
func (x *index) adoptable(s ContainerSpec, h Host) (id NamespaceID, err error) {
	if err := checkPath(s.Netns); err != nil {
		return id, err
	}
	if id, err = h.Namespace(s.Netns); err != nil {
		return id, err
	}
	if owner := x.owner(id, h); owner != "" {
		return id, fail.New(fail.Conflict, "container "+s.Name, "%s is the namespace of container %s", s.Netns, owner).
			Try("cnet create %s --share %s", s.Name, owner)
	}
	x.namespaces[id] = s.Name
	return id, nil
}

// checkResolver refuses what would be another line of resolv.conf, or none.
func (c Container) checkResolver() error {
	for _, s := range c.Nameservers {
		if _, err := netip.ParseAddr(s); err != nil {
			return fail.New(fail.Usage, "container "+c.Name, "the nameserver %s is not an IP address", quote(s))
		}
	}
	for _, s := range c.Search {
		if s == "" || strings.ContainsFunc(s, unicode.IsSpace) {
			return fail.New(fail.Usage, "container "+c.Name, "the search domain %s is not a domain", quote(s))
		}
	}
	return nil
}

// RemoveContainer takes containers out, with the attachments and ports of stacks
// that nobody is in any more.
func (t *Topology) RemoveContainer(names ...string) error {
	gone := make(map[string]bool, len(names))
	for _, name := range names {
		if _, err := t.Container(name); err != nil {
			return err
		}
		gone[name] = true
	}
	rest := make([]Container, 0, len(t.Containers)-len(gone))
	for _, c := range t.Containers {
		if !gone[c.Name] {
			rest = append(rest, c)
		}
	}
	t.handOn(gone, rest)
	t.Containers = rest
	t.desert()
	t.forgetExpect(gone)
	return nil
}

// AttachSpec is what a user says of an attachment to be made; empty fields are chosen.
type AttachSpec struct {
	Network      string
	IP           string
	IP6          string
	MAC          string
	Interface    string
	Aliases      []string
	DefaultRoute *bool // nil: if the container has none yet and the network leads out
}

// Connect attaches a container's stack to a network.
func (t *Topology) Connect(name string, s AttachSpec) error {
	c, err := t.Holder(name)
	if err != nil {
		return err
	}
	return t.index().connect(c, s)
}

func (x *index) connect(c *Container, s AttachSpec) error {
	what := fmt.Sprintf("connect %s to %s", c.Name, s.Network)
	if c.Share != "" {
		return fail.New(fail.Usage, what, "it shares the stack of %s, and is where that is", c.Share).Try("cnet connect %s %s", c.Share, s.Network)
	}
	n, err := x.topo.Network(s.Network)
	if err != nil {
		return err
	}
	if c.Attachment(n.Name) != nil {
		return fail.New(fail.Conflict, what, "it is connected already").Try("cnet inspect %s", c.Name)
	}
	taken := x.in(n.Name)
	if n.Driver == Bridge && *taken.count >= maxPorts {
		return fail.New(fail.Conflict, what, "a bridge takes %d ports, and its bridge would have more", maxPorts).
			Try("another network: cnet network create NAME; with --driver ptp it has no such limit")
	}
	a := Attachment{Network: n.Name, Aliases: s.Aliases}
	for _, alias := range s.Aliases {
		if err := x.topo.checkAlias(alias, n.Name); err != nil {
			return err
		}
	}
	if a.Interface, err = c.link(s.Interface); err != nil {
		return err
	}
	if err := n.number(c.Name, &a, s, taken.holder); err != nil {
		return err
	}
	leads, err := c.routes(n, s.DefaultRoute)
	if err != nil {
		return err
	}
	a.DefaultRoute = &leads
	c.Networks = append(c.Networks, a)
	taken.take(c.Name, a)
	return nil
}

// maxPorts is what a bridge takes (BR_MAX_PORTS in net/bridge/br_private.h).
const maxPorts = 1023

// link checks the name of the link that was asked for, or takes the next ethN.
func (c *Container) link(name string) (string, error) {
	used := make(map[string]bool)
	for _, a := range c.Networks {
		used[a.Interface] = true
	}
	if name == "" {
		for i := 0; ; i++ {
			if eth := fmt.Sprintf("eth%d", i); !used[eth] {
				return eth, nil
			}
		}
	}
	if used[name] {
		return "", fail.New(fail.Conflict, "interface "+name, "container %s has a link of that name", c.Name).Try("leave --interface to cnet")
	}
	return name, checkLink(name)
}

// release ends what reserve did for the container itself.
func release(holder map[netip.Addr]string, ip netip.Addr, container string) {
	if holder[ip] == container {
		delete(holder, ip)
	}
}

// number settles the attachment's addresses.
func (n *Network) number(container string, a *Attachment, s AttachSpec, holder map[netip.Addr]string) (err error) {
	if s.IP != "" {
		if a.IP, err = parseAddr(s.IP, false); err != nil {
			return err
		}
		release(holder, a.IP, container)
		if err = checkIP(n, n.Subnet, a.IP, n.Gateway, holder); err != nil {
			return err
		}
	} else if a.IP, err = nextIP(n, holder); err != nil {
		return err
	}
	if s.IP6 != "" {
		if a.IP6, err = parseAddr(s.IP6, true); err != nil {
			return err
		}
		release(holder, a.IP6, container)
		if err = checkIP(n, n.Subnet6, a.IP6, n.Gateway6, holder); err != nil {
			return err
		}
	} else if n.IPv6 {
		if a.IP6, err = ip6For(*n, a.IP, holder); err != nil {
			return err
		}
	}
	if s.MAC == "" {
		a.MAC = MACOf(a.IP)
		return nil
	}
	a.MAC, err = checkMAC(s.MAC)
	return err
}

// routes settles whether the container's default route leads by this network.
func (c *Container) routes(n *Network, want *bool) (bool, error) {
	has := ""
	for _, a := range c.Networks {
		if a.Leads() {
			has = a.Network
		}
	}
	what := fmt.Sprintf("connect %s to %s", c.Name, n.Name)
	switch {
	case want == nil:
		return has == "" && !n.Internal, nil
	case *want && n.Internal:
		return false, fail.New(fail.Usage, what, "network %s is internal: no default route leads out of it", n.Name)
	case *want && has != "":
		return false, fail.New(fail.Conflict, what, "its default route leads by network %s", has).
			Try("cnet disconnect %s %s, or leave out --default-route", c.Name, has)
	}
	return *want, nil
}

// Disconnect takes a container's stack off a network. Ports that led there go too,
// and with the last network the sidecar.
func (t *Topology) Disconnect(name, network string) error {
	c, err := t.Holder(name)
	if err != nil {
		return err
	}
	if network == "" && len(c.Networks) == 1 {
		network = c.Networks[0].Network
	}
	if network == "" && len(c.Networks) > 1 {
		return fail.New(fail.Usage, "disconnect "+name, "it is connected to %d networks; say which", len(c.Networks)).
			Try("cnet inspect %s", name)
	}
	if network != "" {
		if _, err := t.Network(network); err != nil {
			return err
		}
	}
	if c.Attachment(network) == nil {
		return fail.New(fail.NotFound, "disconnect "+name, "it is not connected to a network %s", quote(network)).
			Try("cnet inspect %s", name)
	}
	led := c.Attachment(network).Leads()
	if c.Main().Network == network {
		c.Publish = nil
	}
	for i := range c.Networks {
		if c.Networks[i].Network == network {
			c.Networks = append(c.Networks[:i:i], c.Networks[i+1:]...)
			break
		}
	}
	if led {
		t.lead(c)
	}
	if len(c.Networks) == 0 {
		c.Sidecar = nil
	}
	t.desert()
	return nil
}

// lead gives a container's default route to the first of its networks that
// leads out, if there is one.
func (t *Topology) lead(c *Container) {
	for i := range c.Networks {
		if n, err := t.Network(c.Networks[i].Network); err == nil && !n.Internal {
			yes := true
			c.Networks[i].DefaultRoute = &yes
			return
		}
	}
}
