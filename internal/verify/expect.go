package verify

import (
	"net/netip"

	"github.com/cnetlab/cnet/internal/topology"
)

// expected is what was derived, with the user's expectations: of a pair that
// both speak of, the user's word counts.
func (d *deriver) expected() []Promise {
	for _, e := range d.topo.Expect {
		e.From, e.To.Name = d.place(e.From), d.place(e.To.Name)
		met := false
		for i := range d.list {
			if p := &d.list[i]; speaks(e, *p) {
				met = true
				p.expect(e)
			}
		}
		if met {
			continue
		}
		for _, p := range d.asked(e) {
			p.expect(e)
			d.add(p)
		}
	}
	return d.list
}

func (p *Promise) expect(e topology.Expectation) {
	p.Own = true
	if p.Reach != e.Reaches() {
		p.Reach, p.Sees = e.Reaches(), netip.Addr{}
	}
}

// place is what an expectation means by a name. A container that shares the
// namespace of another is there.
func (d *deriver) place(name string) string {
	switch name {
	case topology.TheHost:
		return TheHost
	case topology.TheOutside:
		return TheOutside
	}
	if c, err := d.topo.Container(name); err == nil && c.Share != "" {
		return c.Share
	}
	return name
}

// speaks reports whether an expectation speaks of a promise. One of the host is
// about published ports, one of any port about every port of a pair.
func speaks(e topology.Expectation, p Promise) bool {
	if e.From != p.From || p.Proto == ICMP || e.To.Proto != "" && e.To.Proto != p.Proto || e.To.Port != 0 && e.To.Port != p.Port {
		return false
	}
	if e.To.Name == TheHost {
		return p.Published != "" && !p.Addr.IsLoopback()
	}
	return e.To.Name == p.To && p.Published == ""
}

// asked are the promises of an expectation that nothing derived speaks of.
func (d *deriver) asked(e topology.Expectation) (list []Promise) {
	for _, port := range portsOf(e.To) {
		switch e.To.Name {
		case TheHost:
			list = append(list, d.atHost(e.From, port)...)
		case TheOutside:
			for _, far := range d.host.Far {
				list = append(list, d.outside(e.From, far, port.number, port.proto))
			}
		default:
			list = append(list, d.atContainer(e, port)...)
		}
	}
	return list
}

func portsOf(t topology.Target) []port {
	switch {
	case t.Port != 0:
		return []port{{t.Port, t.Proto}}
	case t.Proto != "":
		return []port{{AnyPort, t.Proto}}
	}
	return []port{{AnyPort, TCP}, {AnyPort, UDP}}
}

// atHost calls a port of the host: a published one, or a service of its own.
func (d *deriver) atHost(from string, port port) []Promise {
	to := Promise{From: from, To: TheHost, Port: port.number, Proto: port.proto}
	for _, c := range d.places {
		for _, p := range c.Publish {
			if p.Proto == port.proto && p.Host <= port.number && port.number <= p.HostEnd && p.Serves(false) {
				to.To, to.Published = c.Name, p.String()
				to.Servers = []Server{{c.Name, c.Main().IP, p.To + port.number - p.Host, p.Proto}}
			}
		}
	}
	by := d.host.called(false)
	if len(by) == 0 {
		return nil
	}
	return []Promise{to.at(by[0])}
}

// atContainer calls a container's addresses: of the networks that the caller is
// in, too, if there are such.
func (d *deriver) atContainer(e topology.Expectation, port port) (list []Promise) {
	c, err := d.topo.Container(e.To.Name)
	if err != nil {
		return nil
	}
	from, err := d.topo.Container(e.From)
	var shared []Promise
	for _, at := range d.addresses(c) {
		p := Promise{From: e.From, To: c.Name, Addr: at.addr, Port: port.number, Proto: port.proto,
			Servers: []Server{{c.Name, at.addr, port.number, port.proto}}}
		list = append(list, p)
		if err == nil && from.Attachment(at.network.Name) != nil {
			shared = append(shared, p)
		}
	}
	if len(shared) > 0 {
		return shared
	}
	return list
}
