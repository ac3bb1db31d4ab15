package names

import (
	"net/netip"
	"slices"

	"github.com/cnetlab/cnet/internal/topology"
)

// Book is what the server must know of a topology.
type Book struct {
	Networks []Network `json:"networks,omitempty"`
	Stacks   []Stack   `json:"stacks,omitempty"`
}

// Network is a network whose gateway answers for names.
type Network struct {
	Name     string         `json:"name"`
	TTL      uint32         `json:"ttl,omitempty"`   // seconds
	Apart    bool           `json:"apart,omitempty"` // its containers do not reach each other
	Gateways []netip.Addr   `json:"gateways"`        // where the server listens
	Subnets  []netip.Prefix `json:"subnets"`         // whose addresses have no other names
	Services []Name         `json:"services,omitempty"`
}

// Name is a service's name and its addresses: its own, or its backends'.
type Name struct {
	Name     string       `json:"name"`
	Headless bool         `json:"headless,omitempty"`
	Addrs    []netip.Addr `json:"addrs"`
}

// Stack is a network stack, with all the containers that share it.
type Stack struct {
	Names    []string     `json:"names"`
	Upstream []netip.Addr `json:"upstream,omitempty"` // name servers of its own; else the host's
	Out      bool         `json:"out,omitempty"`      // it reaches the outside, so it may ask for names there
	Places   []Place      `json:"places"`
}

// Place is a stack's place in a network.
type Place struct {
	Network string       `json:"network"`
	Addrs   []netip.Addr `json:"addrs"`
	Aliases []string     `json:"aliases,omitempty"`
}

// Of is the book of a topology.
func Of(t topology.Topology) Book {
	var b Book
	answers := make(map[string]bool)
	services := servicesOf(t)
	for _, n := range t.Networks {
		if n.Names() {
			answers[n.Name] = true
			b.Networks = append(b.Networks, networkOf(n, services[n.Name]))
		}
	}
	members := make(map[string][]string)
	for _, k := range t.Containers {
		if k.Share != "" {
			members[k.Share] = append(members[k.Share], k.Name)
		}
	}
	for i := range t.Containers {
		k := &t.Containers[i]
		if s := stackOf(k, members[k.Name], answers); len(s.Places) > 0 {
			b.Stacks = append(b.Stacks, s)
		}
	}
	return b
}

func networkOf(n topology.Network, services []Name) Network {
	return Network{
		Name: n.Name, TTL: uint32(n.DNSTTL), Apart: !n.Talk(),
		Gateways: valid(n.Gateway, n.Gateway6), Subnets: n.Prefixes(), Services: services,
	}
}

// stackOf begins with the place by which the stack's default route leads: its
// names are found first.
func stackOf(k *topology.Container, members []string, answers map[string]bool) Stack {
	s := Stack{Names: append([]string{k.Name}, members...)}
	for _, text := range k.Nameservers {
		if ip, err := netip.ParseAddr(text); err == nil {
			s.Upstream = append(s.Upstream, ip)
		}
	}
	main := k.Main()
	for _, a := range k.Networks {
		s.Out = s.Out || a.Leads()
		if !answers[a.Network] {
			continue
		}
		p := Place{a.Network, valid(a.IP, a.IP6), a.Aliases}
		if a.Network == main.Network {
			s.Places = slices.Insert(s.Places, 0, p)
		} else {
			s.Places = append(s.Places, p)
		}
	}
	return s
}

func valid(list ...netip.Addr) []netip.Addr {
	return slices.DeleteFunc(list, func(ip netip.Addr) bool { return !ip.IsValid() })
}

// servicesOf are the names of services, by network.
func servicesOf(t topology.Topology) map[string][]Name {
	names := make(map[string][]Name)
	for _, s := range t.Services {
		n := Name{Name: s.Name, Headless: s.Headless, Addrs: valid(s.VIP, s.VIP6)}
		if s.Headless {
			n.Addrs = ready(t.Members(s))
		}
		names[s.Network] = append(names[s.Network], n)
	}
	return names
}

// ready are the addresses of the members that can serve.
func ready(members []topology.Member) (addrs []netip.Addr) {
	for _, m := range members {
		if m.Ready {
			addrs = append(addrs, valid(m.IP, m.IP6)...)
		}
	}
	return addrs
}
