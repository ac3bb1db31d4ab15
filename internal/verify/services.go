package verify

import (
	"slices"

	"github.com/cnetlab/cnet/internal/topology"
)

// callersOf are at most so many containers that call a service, from the one at i
// on; of names, if any are given and the service is none of them, only these.
func (d *deriver) callersOf(s topology.Service, i, most int, names []string) []*topology.Container {
	callers := append(others(d.places, i, most), d.places[i])
	if len(names) == 0 || slices.Contains(names, ServiceNamed(s.Name)) {
		return callers
	}
	return slices.DeleteFunc(callers, func(k *topology.Container) bool { return !slices.Contains(names, k.Name) })
}

// service promises who is answered by a service. One that has no backend with a
// share promises nothing.
func (d *deriver) service(s topology.Service, callers []*topology.Container) {
	members := d.topo.Members(s)
	for _, port := range s.Ports {
		to := Promise{To: ServiceNamed(s.Name), Port: port.Port, Proto: port.Proto}
		to.Addr, to.Servers = s.VIP, d.backends(members, port, false)
		d.serves(s, to, callers)
		if s.VIP6.IsValid() {
			to.Addr, to.Servers = s.VIP6, d.backends(members, port, true)
			d.serves(s, to, callers)
		}
	}
}

// serves promises who is answered at an address of a service: the containers of its
// network, be they kept apart, its own backends too, and the host; and where it is
// published, who calls the host.
func (d *deriver) serves(s topology.Service, to Promise, callers []*topology.Container) {
	if len(to.Servers) == 0 {
		return
	}
	d.add(to.from(TheHost, true))
	d.add(to.from(TheOutside, false))
	for _, k := range callers {
		d.add(to.from(k.Name, k.Attachment(s.Network) != nil))
	}
	own := to.Port
	for _, p := range s.Publish {
		if p.To == own && p.Proto == to.Proto && p.Serves(to.Addr.Is6()) {
			to.Port, to.Published = p.Host, p.String()
			d.callsHost(callers, p, to, to.Addr.Is6())
		}
	}
}

// backends are those that are given connections to a port of a service.
func (d *deriver) backends(members []topology.Member, p topology.ServicePort, ipv6 bool) (list []Server) {
	for _, m := range members {
		s := Server{d.place(m.Container), m.IP, m.At(p), p.Proto}
		if ipv6 {
			s.Addr = m.IP6
		}
		if m.Weight > 0 && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}
