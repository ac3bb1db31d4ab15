package edge

import (
	"net/netip"
	"slices"
	"time"

	"github.com/cnetlab/cnet/internal/proxy"
	"github.com/cnetlab/cnet/internal/topology"
)

// Of is what the edge must know of a topology, but for its certificates, and the
// addresses at which it listens. A route that was set comes before containers that
// ask for the same by their labels.
func Of(t topology.Topology) (k Know, at []netip.AddrPort) {
	e := *t.Edge
	k.Limits = limitsOf(e.Limits)
	for _, s := range t.Services {
		k.Services = append(k.Services, Service{s.Name, backends(t, s)})
	}
	for _, r := range e.Routes {
		k.Routes = append(k.Routes, routeOf(r))
	}
	for _, l := range t.Labelled() {
		k.add(l)
	}
	for i, list := range [][]string{e.Listen, e.TLS} {
		for _, text := range list {
			a, err := topology.ParseListen(text)
			if err != nil {
				continue // the topology was checked
			}
			at = append(at, a)
			if i == 1 {
				k.TLS = append(k.TLS, a)
			}
		}
	}
	return k, at
}

func limitsOf(l topology.Limits) Limits {
	long := func(s string) time.Duration {
		d, _ := time.ParseDuration(s) // the topology was checked
		return d
	}
	return Limits{
		Header: l.Header, Body: l.Body, Connections: l.Connections,
		HeaderTime: long(l.HeaderTime), RequestTime: long(l.RequestTime), AnswerTime: long(l.AnswerTime), IdleTime: long(l.IdleTime),
	}
}

// backends are those of a service that are ready, at its first port of TCP; of one
// that has none, at port 80.
func backends(t topology.Topology, s topology.Service) (list []proxy.Backend) {
	port := topology.ServicePort{Port: 80, To: 80}
	if i := slices.IndexFunc(s.Ports, func(p topology.ServicePort) bool { return p.Proto == "tcp" }); i >= 0 {
		port = s.Ports[i]
	}
	for _, m := range t.Members(s) {
		weight := m.Weight
		if s.Headless && m.Ready {
			weight = 1
		}
		if weight > 0 {
			list = append(list, proxy.Backend{Name: m.Container, At: netip.AddrPortFrom(m.IP, m.At(port)), Weight: weight})
		}
	}
	return list
}

func routeOf(r topology.Route) Route {
	out := Route{Host: r.Host, Path: r.Path, Sticky: r.Sticky, Failover: r.Failover}
	for _, w := range r.To {
		out.To = append(out.To, Target{w.Name, w.Weight})
	}
	for _, u := range r.Rules {
		out.Rules = append(out.Rules, Rule(u))
	}
	if r.Mirror != nil {
		out.Mirror, out.Percent = r.Mirror.Name, r.Mirror.Weight
	}
	return out
}

// add adds a container to the route that its labels ask for.
func (k *Know) add(l topology.Labelled) {
	r := Route{Host: l.Host, Path: l.Path}
	name := "labels of " + r.name()
	if !slices.ContainsFunc(k.Routes, func(o Route) bool { return o.name() == r.name() }) {
		r.To = []Target{{name, 1}}
		k.Routes = append(k.Routes, r)
		k.Services = append(k.Services, Service{Name: name})
	}
	for i := range k.Services {
		if s := &k.Services[i]; s.Name == name {
			s.Backends = append(s.Backends, proxy.Backend{Name: l.Container, At: l.At, Weight: l.Weight})
		}
	}
}
