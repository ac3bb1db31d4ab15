package verify

import (
	"net/netip"
	"slices"

	"github.com/cnetlab/cnet/internal/topology"
)

// Host is what promises depend on besides the topology.
type Host struct {
	Own      []netip.Addr                // its addresses, the one that others know it by first
	Gateways []netip.Addr                // of its default routes
	Near     []netip.Addr                // its ends of the cable to the outside, one of each family
	Far      []netip.Addr                // the outside's ends
	Listens  map[string][]netip.AddrPort // where containers listen for TCP
}

// address is the one of list that is of a family; the zero Addr if none is.
func address(list []netip.Addr, ipv6 bool) netip.Addr {
	for _, a := range list {
		if a.Is6() == ipv6 {
			return a
		}
	}
	return netip.Addr{}
}

// called are the addresses that the host is called by: its own, or else its end
// of the cable to the outside.
func (h Host) called(ipv6 bool) []netip.Addr {
	var list []netip.Addr
	for _, a := range h.Own {
		if a.Is6() == ipv6 {
			list = append(list, a)
		}
	}
	if near := address(h.Near, ipv6); len(list) == 0 && near.IsValid() {
		list = append(list, near)
	}
	return list
}

// pairs is how many pairs of containers call each other if not all are asked
// for: 17 containers are all pairs. Each pair costs the kernel two neighbours of
// each family, and by default it has room for 1024, in all namespaces together
// (arp(7), gc_thresh3).
const pairs = 17 * 16

// Derive returns what the topology promises, of all pairs of containers. In a
// crowd a container calls only some others, spread over all, so that everybody is
// called. Of names, if any are given, it is all pairs that one of them is in, and
// what else is promised of all.
func Derive(t topology.Topology, h Host, names ...string) []Promise {
	d := deriver{topo: t, host: h}
	for i := range t.Containers {
		if c := &t.Containers[i]; c.Share == "" && len(c.Networks) > 0 {
			d.places = append(d.places, c)
		}
	}
	most := len(d.places)
	if len(names) == 0 && most > 0 {
		most = max(1, pairs/most)
	}
	for i, c := range d.places {
		callers := others(d.places, i, most)
		if len(names) > 0 && !slices.Contains(names, c.Name) {
			callers = slices.DeleteFunc(callers, func(k *topology.Container) bool { return !slices.Contains(names, k.Name) })
		}
		d.out(c)
		d.direct(c, callers)
		for _, p := range c.Publish {
			d.published(c, p, callers)
		}
	}
	for i, s := range t.Services {
		if !s.Headless && len(d.places) > 0 {
			d.service(s, d.callersOf(s, i%len(d.places), most, names))
		}
	}
	return d.expected()
}

// others are at most so many of list, all but the one at i, evenly spread.
func others(list []*topology.Container, i, most int) (some []*topology.Container) {
	n := len(list) - 1
	most = min(most, n)
	for k := 0; k < most; k++ {
		some = append(some, list[(i+1+k*n/most)%len(list)])
	}
	return some
}

type deriver struct {
	topo   topology.Topology
	host   Host
	places []*topology.Container
	list   []Promise
}

func (d *deriver) add(p Promise) { d.list = append(d.list, p) }

func (d *deriver) network(name string) topology.Network {
	n, err := d.topo.Network(name)
	if err != nil {
		return topology.Network{}
	}
	return *n
}

// place is an address of a container in a network.
type place struct {
	network topology.Network
	addr    netip.Addr
}

func (d *deriver) addresses(c *topology.Container) (list []place) {
	for _, a := range c.Networks {
		n := d.network(a.Network)
		list = append(list, place{n, a.IP})
		if n.IPv6 {
			list = append(list, place{n, a.IP6})
		}
	}
	return list
}

// way tells whether a container's packets of a family leave its networks: yes,
// by design not, or neither is promised.
func (d *deriver) way(c *topology.Container, ipv6 bool) (leads, closed bool) {
	closed = true
	for _, a := range c.Networks {
		n := d.network(a.Network)
		leads = leads || a.Leads() && (!ipv6 || n.IPv6)
		closed = closed && n.Internal
	}
	return leads, closed
}

// out promises what a container reaches beyond its networks.
func (d *deriver) out(c *topology.Container) {
	for _, a := range c.Networks {
		n := d.network(a.Network)
		if n.Internal {
			continue
		}
		d.add(Promise{From: c.Name, To: Gateway, Addr: n.Gateway, Proto: ICMP, Reach: true})
		if n.IPv6 {
			d.add(Promise{From: c.Name, To: Gateway, Addr: n.Gateway6, Proto: ICMP, Reach: true})
		}
	}
	for _, gw := range d.host.Gateways {
		if leads, closed := d.way(c, gw.Is6()); leads || closed && gw.Is4() {
			d.add(Promise{From: c.Name, To: Gateway, Addr: gw, Proto: ICMP, Reach: leads})
		}
	}
	for _, far := range d.host.Far {
		leads, closed := d.way(c, far.Is6())
		if !leads && !closed {
			continue
		}
		for _, proto := range []string{TCP, UDP} {
			p := d.outside(c.Name, far, AnyPort, proto)
			if p.Reach = leads; leads {
				p.Sees = address(d.host.Near, far.Is6()) // masqueraded
			}
			d.add(p)
		}
	}
}

func (d *deriver) outside(from string, far netip.Addr, port uint16, proto string) Promise {
	return Promise{From: from, To: TheOutside, Addr: far, Port: port, Proto: proto,
		Servers: []Server{{TheOutside, far, port, proto}}}
}

// direct promises who reaches a container's own addresses, and who does not.
func (d *deriver) direct(c *topology.Container, callers []*topology.Container) {
	for _, at := range d.addresses(c) {
		for _, port := range d.ports(c, at.addr) {
			to := Promise{To: c.Name, Addr: at.addr, Port: port.number, Proto: port.proto,
				Servers: []Server{{c.Name, at.addr, port.number, port.proto}}}
			d.add(to.from(TheHost, true))
			d.add(to.from(TheOutside, false))
			for _, other := range callers {
				sibling := other.Attachment(at.network.Name) != nil
				d.add(to.from(other.Name, sibling && at.network.Talk()))
			}
		}
	}
}

func (p Promise) from(from string, reach bool) Promise {
	p.From, p.Reach = from, reach
	return p
}

type port struct {
	number uint16
	proto  string
}

// ports are those that a container's address is tried at: one that stands for
// all, those that it has published, and those that it listens at.
func (d *deriver) ports(c *topology.Container, addr netip.Addr) []port {
	list := []port{{AnyPort, TCP}, {AnyPort, UDP}}
	seen := map[port]bool{list[0]: true, list[1]: true}
	add := func(p port) {
		if !seen[p] && p.proto != SCTP {
			seen[p] = true
			list = append(list, p)
		}
	}
	for _, p := range c.Publish {
		add(port{p.To, p.Proto})
	}
	for _, at := range d.host.Listens[c.Name] {
		every := at.Addr().IsUnspecified() && (at.Addr().Is6() || addr.Is4())
		if every || at.Addr().Unmap() == addr {
			add(port{at.Port(), TCP})
		}
	}
	return list
}

// published promises who is answered at a published port: its first, and the
// last of a range.
func (d *deriver) published(c *topology.Container, p topology.Port, callers []*topology.Container) {
	main := c.Main()
	n := d.network(main.Network)
	for _, ipv6 := range []bool{false, true} {
		if !p.Serves(ipv6) || ipv6 && !n.IPv6 {
			continue
		}
		addr := main.IP
		if ipv6 {
			addr = main.IP6
		}
		for _, i := range ends(p) {
			d.callsHost(append(slices.Clip(callers), c), p, Promise{
				To: c.Name, Port: p.Host + i, Proto: p.Proto, Published: p.String(),
				Servers: []Server{{c.Name, addr, p.To + i, p.Proto}},
			}, ipv6)
		}
	}
}

func ends(p topology.Port) []uint16 {
	if p.Host == p.HostEnd {
		return []uint16{0}
	}
	return []uint16{0, p.HostEnd - p.Host}
}

// callsHost promises who is answered by the host's addresses, for a container or
// a service.
func (d *deriver) callsHost(callers []*topology.Container, p topology.Port, to Promise, ipv6 bool) {
	by := d.host.called(ipv6)
	open := !p.HostIP.IsLoopback()
	if open && p.HostIP.IsValid() && !p.HostIP.IsUnspecified() {
		by = []netip.Addr{p.HostIP}
	}
	if p.Loopback() && !ipv6 {
		at := netip.AddrFrom4([4]byte{127, 0, 0, 1})
		if p.HostIP.IsLoopback() {
			at = p.HostIP
		}
		d.add(to.at(at).from(TheHost, true))
		d.add(to.at(at).from(TheOutside, false))
	}
	for _, a := range by {
		if open {
			d.add(to.at(a).from(TheHost, true))
		}
	}
	if len(by) == 0 {
		return
	}
	to = to.at(by[0])
	for _, caller := range callers {
		if leads, closed := d.way(caller, ipv6); leads || closed {
			d.add(to.from(caller.Name, leads && open))
		}
	}
	to = to.from(TheOutside, open)
	if open {
		to.Sees = address(d.host.Far, ipv6)
	}
	d.add(to)
}

func (p Promise) at(addr netip.Addr) Promise {
	p.Addr = addr
	return p
}
