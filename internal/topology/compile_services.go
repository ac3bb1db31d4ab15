package topology

import (
	"net/netip"
	"slices"

	"github.com/cnetlab/cnet/pkg/bridge"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
	"github.com/cnetlab/cnet/pkg/route"
)

// serving is what follows from the services of a topology for the objects that
// they are made of.
type serving struct {
	members map[string][]Member     // by service
	lives   map[string]bool         // by network: its gateway's address is there
	vips    map[string][]netip.Addr // by network: those of its services
	backs   map[seat]back           // by container and network: what its services lead there
}

// seat is a container's place in a network.
type seat struct{ container, network string }

// back is what leads to a backend. Its own port may turn a call back to it; and
// where its service is published, it may be called from another of its networks.
type back struct{ called, published bool }

func servingOf(t Topology) serving {
	v := serving{members: make(map[string][]Member), lives: make(map[string]bool), vips: make(map[string][]netip.Addr), backs: make(map[seat]back)}
	crew := t.crew()
	for _, s := range t.Services {
		if s.Headless {
			continue
		}
		list := crew.members(s)
		v.members[s.Name] = list
		v.vips[s.Network] = append(v.vips[s.Network], s.vips()...)
		if n, err := t.Network(s.Network); err == nil {
			v.lives[n.Name] = n.Driver == Bridge || slices.ContainsFunc(t.Containers, func(k Container) bool { return k.Attachment(n.Name) != nil })
		}
		for _, m := range list {
			at := seat{m.Container, s.Network}
			if k, err := t.Container(m.Container); err == nil && k.Share != "" {
				at.container = k.Share
			}
			v.backs[at] = back{true, v.backs[at].published || len(s.Publish) > 0}
		}
	}
	return v
}

// ServiceLink is the link that the host's routes to services lead over.
const ServiceLink = "cnet_services"

// toServices adds the host's routes to the addresses of services, which no link
// has. The host's own calls get the gateway's address by them, to which every
// container replies. And what is forwarded must not seem to leave by the link that
// it came by: the kernel would tell the caller to go there itself (redirects, RFC
// 792 and RFC 4861), instead of refusing.
func (c *compiler) toServices() {
	of := []fact.Key{bridge.KeyOf(ServiceLink)}
	for _, s := range c.topo.Services {
		n := c.mustNetwork(s.Network)
		if s.Headless || !c.serving.lives[n.Name] {
			continue
		}
		c.add(HostOwner,
			bridge.Bridge{Name: ServiceLink, MAC: MACOf(vips4.Addr()), MTU: 1500, Alias: "cnet services", Bare: true},
			route.NoAddrGen{Link: ServiceLink, Of: of}, route.Up{Link: ServiceLink, Of: of})
		to := route.Route{Dst: single(s.VIP), Link: ServiceLink, Src: n.Gateway, MTU: min(n.MTU, route.MaxMTU), Of: of}
		if n.Driver == Bridge {
			to.With = []fact.Key{bridge.KeyOf(BridgeName(n.Name))}
		}
		c.add("service "+s.Name, to)
		if n.IPv6 {
			to.Dst, to.Src = single(s.VIP6), n.Gateway6
			c.add("service "+s.Name, to)
		}
	}
}

// detour adds a container's routes to the addresses of services of a network that
// its default route does not lead by.
func (c *compiler) detour(owner string, r route.Route, n Network, gw netip.Addr) {
	for _, ip := range c.serving.vips[n.Name] {
		if ip.Is4() == gw.Is4() {
			r.Dst, r.Via = single(ip), gw
			c.add(owner, r)
		}
	}
}

// serviceRules adds the rules of the services of networks that have the family.
func (c *compiler) serviceRules(ipv6 bool) {
	for _, s := range c.topo.Services {
		n := c.mustNetwork(s.Network)
		if s.Headless || ipv6 && !n.IPv6 {
			continue
		}
		on := nat.On{Backend: n.Firewall, IPv6: ipv6}
		c.hook(on, nat.RoleForward)
		c.hook(on, nat.RoleService)
		c.add("service "+s.Name, nat.Refuse{On: on, Service: s.Name, VIP: s.vip(ipv6)})
		for _, p := range s.Ports {
			c.shared(s, p, n, on)
		}
	}
}

// shared adds what gives the connections to a port of a service to its members.
// All have an endpoint, so that what they were given is counted on when they have
// no share for a while; but clients of UDP do not notice that one does not answer,
// and would stay with it.
func (c *compiler) shared(s Service, p ServicePort, n Network, on nat.On) {
	front := nat.Front{Service: s.Name, VIP: s.vip(on.IPv6), Proto: p.Proto, Port: p.Port}
	b := nat.Balance{On: on, Front: front, Iface: n.LinkPattern(), Exact: s.Mode == Exact, Affinity: s.Affinity}
	for _, q := range s.Publish {
		if to, _ := s.port(q); to == p && q.Serves(on.IPv6) {
			b.Publish = append(b.Publish, nat.HostPort{IP: given(q.HostIP), Port: q.Host})
		}
	}
	for _, m := range c.serving.members[s.Name] {
		e := nat.Endpoint{On: on, Front: front, Container: m.Container, To: m.addr(on.IPv6), ToPort: m.At(p), Affinity: s.Affinity}
		if p.Proto == "udp" {
			if !m.Ready {
				continue // and its flows go to others
			}
			e.Published = b.Publish
		}
		c.add("service "+s.Name, e)
		if m.Weight > 0 {
			b.Shares = append(b.Shares, nat.Share{Container: m.Container, Weight: m.Weight})
		}
	}
	if len(b.Shares) > 0 {
		c.add("service "+s.Name, b)
	}
}

func (a Attachment) addr(ipv6 bool) netip.Addr {
	if ipv6 {
		return a.IP6
	}
	return a.IP
}

func (m Member) addr(ipv6 bool) netip.Addr {
	if ipv6 {
		return m.IP6
	}
	return m.IP
}

// At is the port of the member that a port of the service leads to.
func (m Member) At(p ServicePort) uint16 {
	if m.Port != 0 {
		return m.Port
	}
	return p.To
}
