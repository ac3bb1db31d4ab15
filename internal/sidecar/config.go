package sidecar

import (
	"net/netip"
	"time"

	"github.com/cnetlab/cnet/internal/proxy"
	"github.com/cnetlab/cnet/internal/topology"
)

// Config is what a proxy must know.
type Config struct {
	Retries  int           `json:"retries"`
	Timeout  time.Duration `json:"timeout"`  // of each try, until an answer begins
	Failures int           `json:"failures"` // in a row, after which a backend is left alone; 0 is never
	Open     time.Duration `json:"open"`     // for how long
	Services []Service     `json:"services,omitempty"`
}

// Service is a virtual address and who answers for it.
type Service struct {
	Name     string          `json:"name"`
	At       netip.AddrPort  `json:"at"`
	Backends []proxy.Backend `json:"backends,omitempty"`
}

// Of is what the proxy of a container must know of a topology. A service that
// keeps its clients at their backends is left to the kernel, which does.
func Of(t topology.Topology, k topology.Container) Config {
	c := Config{Retries: k.Sidecar.Retries}
	c.Timeout, _ = time.ParseDuration(k.Sidecar.Timeout) // the topology was checked
	c.Failures, c.Open, _ = k.Sidecar.Breaker()
	for _, s := range t.Services {
		if s.Headless || s.Affinity > 0 || k.Attachment(s.Network) == nil {
			continue
		}
		members := t.Members(s)
		for _, p := range s.Ports {
			if p.Proto != "tcp" {
				continue
			}
			for _, vip := range []netip.Addr{s.VIP, s.VIP6} {
				if vip.IsValid() {
					c.Services = append(c.Services, Service{s.Name, netip.AddrPortFrom(vip, p.Port), backends(members, p, vip.Is6())})
				}
			}
		}
	}
	return c
}

func backends(members []topology.Member, p topology.ServicePort, ipv6 bool) (list []proxy.Backend) {
	for _, m := range members {
		ip := m.IP
		if ipv6 {
			ip = m.IP6
		}
		if m.Weight > 0 {
			list = append(list, proxy.Backend{Name: m.Container, At: netip.AddrPortFrom(ip, m.At(p)), Weight: m.Weight})
		}
	}
	return list
}

// At are the addresses at which the proxy of a container listens in its namespace:
// at those of the loopback for what the container calls; and, where it takes what
// comes in, at all, for the kernel leads that to the address it came to.
func At(t topology.Topology, k topology.Container) (list []netip.AddrPort) {
	v6 := false
	for _, a := range k.Networks {
		n, err := t.Network(a.Network)
		v6 = v6 || err == nil && n.IPv6
	}
	add := func(ip4, ip6 netip.Addr, port uint16) {
		list = append(list, netip.AddrPortFrom(ip4, port))
		if v6 {
			list = append(list, netip.AddrPortFrom(ip6, port))
		}
	}
	add(netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback(), topology.SidecarPort)
	if k.Sidecar.Inbound {
		add(netip.IPv4Unspecified(), netip.IPv6Unspecified(), topology.SidecarEntry)
	}
	return list
}
