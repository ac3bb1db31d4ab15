package topology

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/cnetlab/cnet/pkg/bridge"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/cnetlab/cnet/pkg/route"
	"github.com/cnetlab/cnet/pkg/sysctl"
	"github.com/cnetlab/cnet/pkg/veth"
)

// HostOwner owns the facts that several objects share.
const HostOwner = "host"

// Compiled are the facts of a topology in the order in which they are made, and
// the object that each belongs to: "host", "network lab", "container web".
type Compiled struct {
	Facts []fact.Fact
	Owner map[fact.Key]string
}

// Compile returns the facts that make the topology true. Networks come first,
// then containers, then their cables, then the rules, so that every fact finds
// what it stands on; what two objects need is one fact.
func Compile(t Topology) Compiled { return CompileOnly(t, nil) }

// CompileOnly is [Compile] without the facts of owners outside the scope.
func CompileOnly(t Topology, only Scope) Compiled {
	c := compiler{topo: t, only: only, edges: edgesOf(t), serving: servingOf(t), out: Compiled{Owner: make(map[fact.Key]string)}}
	for _, n := range t.Networks {
		c.network(n)
	}
	for _, n := range t.Networks { // not between the bridges, which go together
		c.forwarding(n)
	}
	if slices.ContainsFunc(t.Containers, Container.pinned) {
		c.add(HostOwner, netns.Dir{Path: "/run/netns"})
	}
	mine := c.containers()
	for _, k := range mine {
		if k.Share == "" {
			c.stack(k)
		}
		if k.Share == "" && k.Stack == "" {
			c.container(k)
		}
	}
	for _, k := range mine {
		if k.Share != "" || k.Stack != "" {
			c.container(k)
		}
	}
	for _, k := range mine {
		c.tracked(k)
	}
	for _, k := range mine {
		for _, a := range k.Networks {
			c.attachment(k, a)
		}
	}
	c.toServices()
	c.rules(mine, false)
	c.rules(mine, true)
	return c.out
}

type compiler struct {
	topo    Topology
	only    Scope
	edges   map[string]edge
	serving serving
	out     Compiled
}

// containers are those whose facts are looked at.
func (c *compiler) containers() []Container {
	if c.only == nil {
		return c.topo.Containers
	}
	var mine []Container
	for _, k := range c.topo.Containers {
		if c.only.Has("container " + k.Name) {
			mine = append(mine, k)
		}
	}
	return mine
}

// add appends facts that are not there yet.
func (c *compiler) add(owner string, facts ...fact.Fact) {
	if !c.only.Has(owner) {
		return
	}
	for _, f := range facts {
		if k := f.Key(); c.out.Owner[k] == "" {
			c.out.Owner[k] = owner
			c.out.Facts = append(c.out.Facts, f)
		}
	}
}

func (c *compiler) mustNetwork(name string) Network {
	n, err := c.topo.Network(name)
	if err != nil {
		return Network{Name: name}
	}
	return *n
}

// network adds the switch of a network, the host's address on it and the
// host's settings.
func (c *compiler) network(n Network) {
	owner := "network " + n.Name
	if n.Driver == Bridge && c.only.Has(owner) {
		br := BridgeName(n.Name)
		of := []fact.Key{bridge.KeyOf(br)}
		c.add(owner, bridge.Bridge{Name: br, MAC: MACOf(n.Gateway), MTU: n.MTU, Alias: "cnet " + owner})
		if !n.IPv6 {
			c.add(owner, noIPv6(br, of))
		}
		c.add(owner, route.Address{Link: br, Prefix: netip.PrefixFrom(n.Gateway, n.Subnet.Bits()), Of: of})
		if n.IPv6 {
			c.add(owner, route.Address{Link: br, Prefix: netip.PrefixFrom(n.Gateway6, n.Subnet6.Bits()), Of: of})
		}
		c.add(owner, route.Up{Link: br, Of: of})
		if n.Isolation == ByFilter {
			c.add(owner, bridge.Filtered{Bridge: br, IPv6: true, Of: of})
		}
		if c.edges[n.Name].loopback {
			c.add(owner, routeLocalnet(br, of))
		}
	}
}

// forwarding adds the settings that make the host a router. An internal network
// needs them only where the host routes between its cables, or to its services.
func (c *compiler) forwarding(n Network) {
	if !c.topo.Forwards(n) {
		return
	}
	c.add(HostOwner, sysctl.Setting{Name: "net.ipv4.ip_forward", Value: "1"})
	if !n.IPv6 {
		return
	}
	for _, link := range n.RAUplinks {
		c.add(HostOwner, sysctl.Setting{Name: sysctl.Link("ipv6", link, "accept_ra"), Value: "2"})
	}
	c.add(HostOwner, sysctl.Setting{Name: "net.ipv6.conf.all.forwarding", Value: "1"})
}

// Forwards reports whether the host forwards for the network.
func (t Topology) Forwards(n Network) bool {
	return !n.Internal || n.Driver == PTP ||
		slices.ContainsFunc(t.Services, func(s Service) bool { return s.Network == n.Name && !s.Headless })
}

// noIPv6 switches IPv6 off on the host's link of a network that has none: it
// needs no address there, and lets nobody past the rules for IPv4.
func noIPv6(link string, of []fact.Key) fact.Fact {
	return sysctl.Setting{Name: sysctl.Link("ipv6", link, "disable_ipv6"), Value: "1", Of: of}
}

// routeLocalnet lets packets from 127.0.0.1 leave by a link.
func routeLocalnet(link string, of []fact.Key) fact.Fact {
	return sysctl.Setting{Name: sysctl.Link("ipv4", link, "route_localnet"), Value: "1", Of: of}
}

// stack adds the namespace that a container holds.
func (c *compiler) stack(k Container) {
	owner, path := "container "+k.Name, k.netns()
	switch k.Netns {
	case path:
	case "":
		c.add(owner, netns.Named{Path: path})
	default:
		c.add(owner, netns.Bind{Path: path, Source: k.Netns, ID: k.NetnsID, Boot: k.NetnsBoot})
	}
	c.add(owner, route.Up{Netns: path, Link: "lo", Source: k.source(), Of: []fact.Key{netns.KeyOf(path)}})
}

// netns is the path of the stack that the container holds.
func (k Container) netns() string { return NetnsPath(k.StackName()) }

// container adds a container's own name for its stack, and its files.
func (c *compiler) container(k Container) {
	owner, path, stack := "container "+k.Name, NetnsPath(k.Name), c.topo.Stack(k).netns()
	if path != stack {
		c.add(owner, netns.Bind{Path: path, Source: stack})
	}
	c.add(owner, netns.File{Path: "/etc/netns/" + k.Name + "/hosts", Content: c.hosts(k)})
	if text := c.resolvConf(k); text != "" {
		c.add(owner, netns.File{Path: "/etc/netns/" + k.Name + "/resolv.conf", Content: text})
	}
}

// pinned reports whether the container's namespace is pinned by cnet, in the
// folder of all of them.
func (k Container) pinned() bool { return k.Share == "" && k.Netns != k.netns() }

// OfProcess reports whether the container adopted a process's namespace, which
// has no other name than the process's number.
func (k Container) OfProcess() bool { return strings.HasPrefix(k.Netns, "/proc/") }

// source is the path of an adopted namespace before it is pinned.
func (k Container) source() string {
	if k.Netns == k.netns() {
		return ""
	}
	return k.Netns
}

// attachment adds the cable from a container to a network, and the container's
// addresses and routes.
func (c *compiler) attachment(k Container, a Attachment) {
	n := c.mustNetwork(a.Network)
	owner, path, link := "container "+k.Name, k.netns(), n.HostLink(k.StackName(), a)
	cable := veth.KeyOf("", link)
	c.add(owner, veth.Pair{
		Name: link, MAC: hostMAC(a.IP), MTU: n.MTU, Alias: "cnet container " + k.StackName(),
		Peer: a.Interface, PeerMAC: a.MAC, PeerNetns: path,
	})
	if n.Driver == PTP {
		c.hostSide(k, n, a, link, []fact.Key{cable})
	} else {
		c.port(k, n, a, link, []fact.Key{cable})
	}
	c.inside(k, n, a, []fact.Key{cable, netns.KeyOf(path)})
}

// port plugs the host's end of the cable into the network's bridge.
func (c *compiler) port(k Container, n Network, a Attachment, link string, of []fact.Key) {
	owner, br := "container "+k.Name, BridgeName(n.Name)
	inBridge := append(of, bridge.KeyOf(br))
	c.add(owner,
		route.NoAddrGen{Link: link, Of: of}, // a port is no address of the host
		bridge.Port{Link: link, Bridge: br, Of: inBridge})
	if c.publishes(k, a) || c.serving.backs[seat{k.Name, n.Name}].called {
		c.add(owner, bridge.Hairpin{Link: link, Of: inBridge})
	}
	if n.Isolation == ByPort {
		c.add(owner, bridge.Isolated{Link: link, Of: inBridge})
	}
	c.add(owner, route.Up{Link: link, Of: of})
}

// hostSide gives the host's end of a ptp cable the gateway's address and a
// route to the container.
func (c *compiler) hostSide(k Container, n Network, a Attachment, link string, of []fact.Key) {
	owner := "container " + k.Name
	if !n.IPv6 {
		c.add(owner, noIPv6(link, of))
	}
	c.add(owner, route.Address{Link: link, Prefix: single(n.Gateway), Of: of})
	if n.IPv6 {
		c.add(owner, route.Address{Link: link, Prefix: single(n.Gateway6), Of: of})
	}
	c.add(owner, route.Up{Link: link, Of: of}, route.Route{Dst: single(a.IP), Link: link, Scope: "link", Of: of})
	if n.IPv6 {
		c.add(owner, route.Route{Dst: single(a.IP6), Link: link, Of: of})
	}
	if c.edges[n.Name].loopback {
		c.add(owner, routeLocalnet(link, of))
	}
}

// inside adds the addresses and routes of the container's end of the cable.
func (c *compiler) inside(k Container, n Network, a Attachment, of []fact.Key) {
	owner, path, dev := "container "+k.Name, k.netns(), a.Interface
	if !n.IPv6 {
		c.add(owner, route.NoAddrGen{Netns: path, Link: dev, Of: of})
	}
	c.add(owner, route.Address{Netns: path, Link: dev, Prefix: n.inside(a.IP, n.Subnet), Of: of})
	if n.IPv6 {
		c.add(owner, route.Address{Netns: path, Link: dev, Prefix: n.inside(a.IP6, n.Subnet6), Of: of})
	}
	c.add(owner, route.Up{Netns: path, Link: dev, Of: of})
	c.ways(owner, route.Route{Netns: path, Link: dev, Of: of}, n, a.Leads(), n.Subnet, n.Gateway)
	if n.IPv6 {
		c.ways(owner, route.Route{Netns: path, Link: dev, Of: of}, n, a.Leads(), n.Subnet6, n.Gateway6)
	}
}

// ways adds a container's routes of one family. On a bridge the subnet's route
// comes with the address; on a ptp cable the gateway is reached first, and the
// siblings through it.
func (c *compiler) ways(owner string, r route.Route, n Network, leads bool, subnet netip.Prefix, gw netip.Addr) {
	if n.Driver == PTP {
		r.Dst, r.Via, r.Scope = single(gw), netip.Addr{}, ""
		if gw.Is4() {
			r.Scope = "link"
		}
		c.add(owner, r)
		r.Dst, r.Via, r.Scope = subnet, gw, ""
		c.add(owner, r)
	}
	if !leads {
		c.detour(owner, r, n, gw)
	} else {
		r.Dst, r.Via, r.Scope, r.MTU = netip.PrefixFrom(unspecified(gw), 0), gw, "", min(n.RouteMTU, route.MaxMTU)
		c.add(owner, r)
	}
}

// inside is the prefix of an address as the container has it: on a ptp cable
// nothing but the address itself is on the link.
func (n Network) inside(ip netip.Addr, subnet netip.Prefix) netip.Prefix {
	if n.Driver == PTP {
		return single(ip)
	}
	return netip.PrefixFrom(ip, subnet.Bits())
}

func single(ip netip.Addr) netip.Prefix { return netip.PrefixFrom(ip, ip.BitLen()) }

func unspecified(ip netip.Addr) netip.Addr {
	if ip.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// publishes reports whether published ports lead to this attachment.
func (c *compiler) publishes(k Container, a Attachment) bool {
	return len(k.Publish) > 0 && k.Main().Network == a.Network
}
