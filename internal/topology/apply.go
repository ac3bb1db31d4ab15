package topology

import (
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/cnetlab/cnet/internal/fail"
)

// Apply makes the topology have what file says: networks, containers and services
// that are missing are added, those that differ are changed, the others stay as
// they are or, with prune, go. Applying the same file twice changes nothing.
func (t *Topology) Apply(file Topology, prune bool, h Host) error {
	before := t.Clone()
	known := before.rebuilt(h)
	if err := t.clear(file, prune); err != nil {
		return err
	}
	for _, n := range file.Networks {
		if err := t.applyNetwork(n, known); err != nil {
			return err
		}
	}
	holders, sharers := file.pods()
	for _, list := range [][]Container{holders, sharers} { // a stack before those that share it
		if err := t.applyContainers(list, &before, known); err != nil {
			return err
		}
	}
	t.settle()
	if err := t.applyServices(file, &before, known); err != nil {
		return err
	}
	if err := t.applyEdge(file, prune, known); err != nil {
		return err
	}
	return t.applyExpect(file, prune)
}

// rebuilt is a host on which what stands for the topology before is not in the way.
type rebuilt struct {
	Host
	before  *Topology
	adopted map[string]NamespaceID
	ports   map[Port]bool
	taken   func() ([]Taken, error)
}

func (t *Topology) rebuilt(h Host) rebuilt {
	r := rebuilt{Host: h, before: t, adopted: make(map[string]NamespaceID), ports: make(map[Port]bool)}
	r.taken = sync.OnceValues(r.others)
	for _, c := range t.Containers {
		if c.NetnsID != 0 {
			r.adopted[c.Netns] = NamespaceID{c.NetnsID, c.NetnsBoot}
		}
	}
	for _, c := range t.claims() {
		r.ports[c.Port] = true
	}
	return r
}

func (r rebuilt) Exists(path string) bool {
	name := strings.TrimPrefix(path, NetnsPath(""))
	if _, err := r.before.Container(name); err == nil || r.before.Holding(name) != nil {
		return false
	}
	return r.Host.Exists(path)
}

// Namespace knows an adopted namespace by its pin: the process may have ended.
func (r rebuilt) Namespace(path string) (NamespaceID, error) {
	if id, known := r.adopted[path]; known {
		return id, nil
	}
	return r.Host.Namespace(path)
}

func (r rebuilt) Taken() ([]Taken, error) { return r.taken() }

// others are the prefixes that are not of the topology's own networks.
func (r rebuilt) others() ([]Taken, error) {
	all, err := r.Host.Taken()
	own := r.before.own()
	var others []Taken
	for _, t := range all {
		if _, ours := meets(t.Prefix, own); !ours {
			others = append(others, t)
		}
	}
	return others, err
}

func (r rebuilt) Listener(ports []Port, spared []netip.AddrPort) (Port, string, error) {
	var fresh []Port
	for _, p := range ports {
		if !r.ports[p] {
			fresh = append(fresh, p)
		}
	}
	return r.Host.Listener(fresh, append(r.before.spared(), spared...))
}

// clear takes out the containers and services that the file says anew and, with
// prune, all that it does not name.
func (t *Topology) clear(file Topology, prune bool) error {
	named := make(map[string]bool)
	for _, c := range file.Containers {
		named[c.Name] = true
	}
	var rest []Container
	for _, c := range t.Containers {
		if !prune && !named[c.Name] {
			rest = append(rest, c)
		}
	}
	t.Containers = rest
	t.Services = without(t.Services, func(s Service) bool {
		return prune || slices.ContainsFunc(file.Services, func(f Service) bool { return f.Name == s.Name })
	})
	if !prune {
		return nil
	}
	keep := make(map[string]bool)
	for _, n := range file.Networks {
		keep[n.Name] = true
	}
	for _, n := range append([]Network(nil), t.Networks...) {
		if !keep[n.Name] {
			if err := t.RemoveNetwork(n.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// applyNetwork adds a network, or makes one that is there as the file says.
func (t *Topology) applyNetwork(n Network, h Host) error {
	if old, err := t.Network(n.Name); err == nil {
		if old.says(n) {
			return nil
		}
		was := *old
		if err := t.RemoveNetwork(n.Name); err != nil {
			return err
		}
		n.inherit(was)
	}
	if err := t.complete(&n, h); err != nil {
		return err
	}
	t.insert(n)
	return nil
}

// inherit fills what the words of n leave open with what the network was.
func (n *Network) inherit(was Network) {
	if either(n.Subnet, was.Subnet) {
		n.Subnet, n.Last = was.Subnet, was.Last
		keep(&n.Gateway, was.Gateway)
	}
	if n.IPv6 && either(n.Subnet6, was.Subnet6) {
		n.Subnet6 = was.Subnet6
		keep(&n.Gateway6, was.Gateway6)
	}
	if either(n.MTU, was.MTU) {
		keep(&n.RouteMTU, was.RouteMTU)
	}
	keep(&n.MTU, was.MTU)
	keep(&n.DNSTTL, was.DNSTTL)
	keep(&n.Firewall, was.Firewall)
	keep(&n.Driver, was.Driver)
}

// keep sets an open value to what it was.
func keep[T comparable](open *T, was T) {
	var nothing T
	if *open == nothing {
		*open = was
	}
}

// says reports whether the network is all that the words of n ask for.
func (n Network) says(w Network) bool {
	return either(w.Driver, n.Driver) && either(w.Subnet, n.Subnet) && either(w.Gateway, n.Gateway) &&
		(w.IPv6 || w.Subnet6.IsValid()) == n.IPv6 && either(w.Subnet6, n.Subnet6) && either(w.Gateway6, n.Gateway6) &&
		w.Internal == n.Internal && w.Talk() == n.Talk() && w.Names() == n.Names() && either(w.DNSTTL, n.DNSTTL) && either(w.MTU, n.MTU) && either(w.RouteMTU, n.RouteMTU) &&
		(w.Firewall == "auto" || either(w.Firewall, n.Firewall))
}

// either reports whether want is left open or is have.
func either[T comparable](want, have T) bool {
	var open T
	return want == open || want == have
}

// applyContainers adds containers as the file says. What the file leaves open
// stays as it was before.
func (t *Topology) applyContainers(list []Container, before *Topology, h Host) error {
	specs := make([]ContainerSpec, len(list))
	for i, c := range list {
		old := before.Holding(c.StackName())
		if old == nil {
			old = &Container{}
		}
		var err error
		if specs[i], err = t.specOf(c, old); err != nil {
			return err
		}
	}
	if err := t.AddContainers(specs, h); err != nil {
		return err
	}
	for _, c := range list {
		k, err := t.Container(c.Name)
		if err != nil {
			return err
		}
		if c.Nameservers != nil || c.Search != nil {
			k.Nameservers, k.Search = c.Nameservers, c.Search
		} else if old, err := before.Container(c.Name); err == nil {
			k.Nameservers, k.Search = old.Nameservers, old.Search
		}
		if c.Sidecar != nil {
			if err := t.Attach(c.Name, *c.Sidecar); err != nil {
				return err
			}
		}
	}
	return nil
}

// specOf are the words of the file for a container that was old.
func (t *Topology) specOf(c Container, old *Container) (ContainerSpec, error) {
	s := ContainerSpec{Name: c.Name, Netns: c.Netns, Share: c.Share, Stack: c.Stack, Labels: c.Labels, Publish: c.Publish}
	if err := c.checkResolver(); err != nil {
		return s, err
	}
	for _, a := range c.Networks {
		place, err := t.placeOf(c.Name, a, old)
		if err != nil {
			return s, err
		}
		s.Networks = append(s.Networks, place)
	}
	return s, nil
}

func (t *Topology) placeOf(name string, a Attachment, old *Container) (AttachSpec, error) {
	s := AttachSpec{
		Network: a.Network, IP: text(a.IP), IP6: text(a.IP6), MAC: a.MAC,
		Interface: a.Interface, Aliases: a.Aliases, DefaultRoute: a.DefaultRoute,
	}
	if a.Network == "" {
		return s, fail.New(fail.Usage, "container "+name, "one of its networks has no name")
	}
	n, err := t.Network(a.Network)
	if err != nil {
		return s, err
	}
	if was := old.Attachment(a.Network); was != nil && n.Subnet.Contains(was.IP) && either(a.IP, was.IP) {
		keep(&s.IP, text(was.IP))
		keep(&s.MAC, was.MAC)
		keep(&s.Interface, was.Interface)
		if n.Subnet6.IsValid() && n.Subnet6.Contains(was.IP6) {
			keep(&s.IP6, text(was.IP6))
		}
	}
	return s, nil
}

func text(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}
