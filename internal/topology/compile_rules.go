package topology

import (
	"net/netip"
	"slices"

	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
)

// edge is what published ports and services need at the edge of the network that
// they lead to.
type edge struct {
	vip      bool // a service has an address of its own
	serves   bool // a port answers over IPv4
	serves6  bool // over IPv6
	loopback bool // on 127.0.0.1
}

// edgesOf are the edges of networks with published ports, by network.
func edgesOf(t Topology) map[string]edge {
	edges := make(map[string]edge)
	for i := range t.Containers {
		k := &t.Containers[i]
		if len(k.Publish) == 0 || len(k.Networks) == 0 {
			continue
		}
		e := edges[k.Main().Network]
		for _, p := range k.Publish {
			e.publish(p)
		}
		edges[k.Main().Network] = e
	}
	for _, s := range t.Services {
		if s.Headless {
			continue
		}
		e := edges[s.Network]
		e.vip = true
		for _, p := range s.Publish {
			e.publish(p)
		}
		edges[s.Network] = e
	}
	return edges
}

func (e *edge) publish(p Port) {
	e.serves = e.serves || p.Serves(false)
	e.serves6 = e.serves6 || p.Serves(true)
	e.loopback = e.loopback || p.Loopback()
}

// rules adds the rules of all networks and published ports for one family. They
// come last and together, so that a plan needs one netfilter transaction a family.
func (c *compiler) rules(containers []Container, ipv6 bool) {
	for _, n := range c.topo.Networks {
		on := nat.On{Backend: n.Firewall, IPv6: ipv6}
		switch {
		case !ipv6 || n.IPv6:
			c.networkRules(n, on)
		case n.Isolation == ByFilter:
			c.closed(n, on)
		}
	}
	for _, n := range c.topo.Networks {
		if !ipv6 || n.IPv6 {
			c.edgeRules(n, nat.On{Backend: n.Firewall, IPv6: ipv6})
		}
	}
	c.spare(ipv6)
	for _, k := range containers {
		if len(k.Publish) > 0 {
			if n := c.mustNetwork(k.Main().Network); !ipv6 || n.IPv6 {
				c.portRules(k, n, nat.On{Backend: n.Firewall, IPv6: ipv6})
			}
		}
		if k.Sidecar != nil && len(k.Networks) > 0 && (!ipv6 || c.speaks6(k)) {
			c.redirects(k, ipv6)
		}
		for _, a := range k.Networks {
			n := c.mustNetwork(a.Network)
			if c.serving.backs[seat{k.Name, a.Network}].published && (!ipv6 || n.IPv6) {
				on := nat.On{Backend: n.Firewall, IPv6: ipv6}
				c.add("container "+k.Name, c.detours(k, n, on, a.addr(ipv6))...)
			}
		}
	}
	c.serviceRules(ipv6)
}

// hook adds the chains of a role, which all networks share.
func (c *compiler) hook(on nat.On, role string) {
	for _, h := range nat.Hooks(on, role) {
		c.add(HostOwner, h)
	}
}

// closed adds the rules of a network for a family that it does not have: its
// containers can give themselves addresses, and must not reach each other so.
func (c *compiler) closed(n Network, on nat.On) {
	c.hook(on, nat.RoleForward)
	c.add("network "+n.Name, nat.Forward{On: on, Network: n.Name, Iface: n.LinkPattern(), Internal: true, NoICC: true})
}

// networkRules adds what closes a network and what lets it out.
func (c *compiler) networkRules(n Network, on nat.On) {
	owner, links := "network "+n.Name, n.LinkPattern()
	c.hook(on, nat.RoleForward)
	c.add(owner, nat.Forward{On: on, Network: n.Name, Iface: links, Internal: n.Internal, NoICC: !n.Talk()})
	if n.Internal {
		return
	}
	c.hook(on, nat.RolePostrouting)
	if c.covered(n, on) {
		return
	}
	c.add(owner, nat.Masquerade{On: on, Network: n.Name, Subnet: n.subnet(on.IPv6), Except: AllLinks})
}

// covered reports whether what another network has for its addresses does for
// those of n too. The maps of nf_tables take no ranges that overlap; rules of
// iptables may.
func (c *compiler) covered(n Network, on nat.On) bool {
	return on.Backend == nat.Nftables && slices.ContainsFunc(c.topo.Networks, func(o Network) bool {
		return o.Name != n.Name && !o.Internal && o.Firewall == n.Firewall &&
			holds(o.subnet(on.IPv6), n.subnet(on.IPv6), o.Name < n.Name)
	})
}

// holds reports whether p holds all of q; of two equals, the first does.
func holds(p, q netip.Prefix, first bool) bool {
	return p.Overlaps(q) && (p.Bits() < q.Bits() || p.Bits() == q.Bits() && first)
}

// edgeRules adds what a network needs so that its published ports answer from
// everywhere, and its services its containers.
func (c *compiler) edgeRules(n Network, on nat.On) {
	e, owner, links := c.edges[n.Name], "network "+n.Name, n.LinkPattern()
	serves := e.serves && !on.IPv6 || e.serves6 && on.IPv6
	if !serves && !e.vip {
		return
	}
	if serves {
		c.hook(on, nat.RolePublish)
	}
	c.hook(on, nat.RolePostrouting)
	c.add(owner, nat.Hairpin{On: on, Network: n.Name, Subnet: n.subnet(on.IPv6), Iface: links})
	if e.loopback && !on.IPv6 {
		c.hook(on, nat.RoleLoopback)
		c.add(owner, nat.Loopback{On: on, Network: n.Name, Iface: links})
	}
}

// portRules adds the published ports of a container.
func (c *compiler) portRules(k Container, n Network, on nat.On) {
	owner, to := "container "+k.Name, k.Main().addr(on.IPv6)
	if slices.ContainsFunc(k.Publish, func(p Port) bool { return p.Serves(on.IPv6) }) {
		c.add(owner, c.detours(k, n, on, to)...)
	}
	for _, p := range k.Publish {
		if !p.Serves(on.IPv6) {
			continue
		}
		c.add(owner, nat.Publish{
			On: on, Container: k.StackName(), HostIP: given(p.HostIP), HostPort: p.Host, HostEnd: p.HostEnd,
			Proto: p.Proto, To: to, Port: p.To,
		})
	}
}

// detours keep a container from replying over the cable to another network of
// its own, when it was called from there by the host's address.
func (c *compiler) detours(k Container, main Network, on nat.On, to netip.Addr) (facts []fact.Fact) {
	for _, a := range k.Networks {
		n := c.mustNetwork(a.Network)
		if n.Name == main.Name || on.IPv6 && !n.IPv6 {
			continue
		}
		if on.Backend == nat.Nftables && slices.ContainsFunc(k.Networks, func(b Attachment) bool {
			o := c.mustNetwork(b.Network)
			return o.Name != n.Name && holds(o.subnet(on.IPv6), n.subnet(on.IPv6), o.Name == main.Name || o.Name < n.Name)
		}) {
			continue // see covered
		}
		facts = append(facts, nat.Hairpin{
			On: on, Network: n.Name, Subnet: n.subnet(on.IPv6), Iface: main.LinkPattern(), Container: k.StackName(), To: to,
		})
	}
	return facts
}

// given is the address that a rule must match: none for every address.
func given(ip netip.Addr) netip.Addr {
	if ip.IsUnspecified() {
		return netip.Addr{}
	}
	return ip
}

func (n Network) subnet(ipv6 bool) netip.Prefix {
	if ipv6 {
		return n.Subnet6
	}
	return n.Subnet
}

// tracked adds what the kernel remembers of a container's addresses. It comes
// before the cables, so that it is forgotten after they are gone, and together,
// so that a plan reads the kernel's table once.
func (c *compiler) tracked(k Container) {
	for _, a := range k.Networks {
		for _, ip := range []netip.Addr{a.IP, a.IP6} {
			if ip.IsValid() {
				c.add("container "+k.Name, nat.Tracked{Container: k.StackName(), Network: a.Network, Addr: ip})
			}
		}
	}
}

// NamesPort is that at which the gateways answer for names.
const NamesPort = 53

// spare keeps the gateways' own port from ports that are published at every
// address of the host.
func (c *compiler) spare(ipv6 bool) {
	ports, services := c.topo.overNames(ipv6)
	if !ports && !services {
		return
	}
	for _, n := range c.topo.Networks {
		if !n.Names() || ipv6 && !n.IPv6 {
			continue
		}
		s := nat.Spare{On: nat.On{Backend: n.Firewall, IPv6: ipv6}, Network: n.Name, Gateway: n.gateway(ipv6), Port: NamesPort, Ports: ports, Services: services}
		if ports || n.Firewall == nat.Iptables {
			c.hook(s.On, nat.RolePublish)
		}
		if services {
			c.hook(s.On, nat.RoleForward)
			c.hook(s.On, nat.RoleService)
		}
		c.add("network "+n.Name, s)
	}
}

func (n Network) gateway(ipv6 bool) netip.Addr {
	if ipv6 {
		return n.Gateway6
	}
	return n.Gateway
}

// overNames reports whether a port of a container, or of a service, is published
// at every address of the host that is the gateways' own, of TCP or UDP.
func (t Topology) overNames(ipv6 bool) (ports, services bool) {
	over := func(p Port) bool {
		return p.Proto != "sctp" && p.Serves(ipv6) && !given(p.HostIP).IsValid() && p.Host <= NamesPort && NamesPort <= p.HostEnd
	}
	for i := range t.Containers {
		ports = ports || slices.ContainsFunc(t.Containers[i].Publish, over)
	}
	for i := range t.Services {
		services = services || slices.ContainsFunc(t.Services[i].Publish, over)
	}
	return ports, services
}
