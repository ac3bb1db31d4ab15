package topology

import (
	"fmt"
	"net/netip"
	"slices"
	"sort"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/pkg/fact"
)

// Service returns the service of that name, to be changed in place.
func (t *Topology) Service(name string) (*Service, error) {
	i := sort.Search(len(t.Services), func(i int) bool { return t.Services[i].Name >= name })
	if i < len(t.Services) && t.Services[i].Name == name {
		return &t.Services[i], nil
	}
	return nil, fail.New(fail.NotFound, "service "+quote(name), "there is no such service").Try("cnet service list")
}

// AddService adds a service. What s leaves open, such as its address, is chosen.
func (t *Topology) AddService(s Service, h Host) error {
	if err := CheckName("service", s.Name); err != nil {
		return err
	}
	if _, err := t.Service(s.Name); err == nil {
		return fail.New(fail.Conflict, "service "+s.Name, "there is one of that name").Try("cnet service inspect %s", s.Name)
	}
	if err := t.completeService(&s, h); err != nil {
		return err
	}
	if err := t.claim(s.claims(), h); err != nil {
		return err
	}
	at := sort.Search(len(t.Services), func(i int) bool { return t.Services[i].Name >= s.Name })
	t.Services = slices.Insert(t.Services, at, s)
	return nil
}

// SetService changes a service. A check that is new finds the backends ready:
// they served until now.
func (t *Topology) SetService(name string, h Host, change func(*Service) error) error {
	old, err := t.Service(name)
	if err != nil {
		return err
	}
	s, rest, known := *old, *t, t.rebuilt(h)
	if err := change(&s); err != nil {
		return err
	}
	if old.Check == nil && s.Check != nil {
		for _, m := range t.Members(*old) {
			s.Ready = append(s.Ready, m.Container)
		}
	}
	if s.Network != old.Network || s.Headless {
		s.VIP, s.VIP6 = netip.Addr{}, netip.Addr{}
	}
	rest.Services = without(t.Services, func(o Service) bool { return o.Name == name })
	if err := rest.completeService(&s, known); err != nil {
		return err
	}
	if err := rest.claim(s.claims(), known); err != nil {
		return err
	}
	*old = s
	return nil
}

// AddBackends names containers as backends of a service.
func (t *Topology) AddBackends(service string, backends []Backend, h Host) error {
	s, err := t.Service(service)
	if err != nil {
		return err
	}
	for _, b := range backends {
		if s.names(b.Container) {
			return fail.New(fail.Conflict, "service "+service, "container %s is a backend already", b.Container).
				Try("cnet service inspect %s", service)
		}
	}
	return t.SetService(service, h, func(s *Service) error {
		s.Backends = append(slices.Clip(s.Backends), backends...)
		return nil
	})
}

// RemoveBackends takes containers off the backends that a service names.
func (t *Topology) RemoveBackends(service string, containers []string) error {
	s, err := t.Service(service)
	if err != nil {
		return err
	}
	for _, name := range containers {
		if s.names(name) {
			continue
		}
		f := fail.New(fail.NotFound, "service "+service, "it names no backend %s", quote(name)).Try("cnet service inspect %s", service)
		if k, err := t.Container(name); err == nil && len(s.Selector) > 0 && k.has(s.Selector) {
			f.Why, f.Next = name+" is a backend by its labels", fmt.Sprintf("cnet label %s %s-", name, sortedKeys(s.Selector)[0])
		}
		return f
	}
	s.drop(func(container string) bool { return slices.Contains(containers, container) })
	return nil
}

// drop takes containers off the backends that the service names, with the
// weights of their own, and off those that are ready.
func (s *Service) drop(gone func(container string) bool) {
	s.Weights = without(s.Weights, func(w Weight) bool { return gone(w.Name) && s.names(w.Name) })
	s.Backends = without(s.Backends, func(b Backend) bool { return gone(b.Container) })
	s.Ready = without(s.Ready, gone)
}

// without is a copy of list without what is gone; nil if nothing is left.
func without[T any](list []T, gone func(T) bool) []T {
	if !slices.ContainsFunc(list, gone) {
		return list
	}
	if list = slices.DeleteFunc(slices.Clone(list), gone); len(list) == 0 {
		return nil
	}
	return list
}

// desert takes containers that are gone, or left a service's network, off its backends.
func (t *Topology) desert() {
	for i := range t.Services {
		s := &t.Services[i]
		s.drop(func(container string) bool {
			k, err := t.Container(container)
			return err != nil || t.Place(k, s.Network) == nil
		})
	}
}

// SetReady says which backends of a service passed their last checks. Those that
// are none any more are left out.
func (t *Topology) SetReady(service string, ready []string) error {
	s, err := t.Service(service)
	if err != nil {
		return err
	}
	if s.Check == nil {
		return fail.New(fail.Conflict, "service "+service, "it has no check").Try("cnet service set %s --check tcp", service)
	}
	s.Ready = nil
	for _, m := range t.Members(*s) {
		if slices.Contains(ready, m.Container) {
			s.Ready = append(s.Ready, m.Container)
		}
	}
	return nil
}

// RemoveService takes services out.
func (t *Topology) RemoveService(names ...string) error {
	for _, name := range names {
		if _, err := t.Service(name); err != nil {
			return err
		}
		if r := t.routed(name); r != nil {
			return fail.New(fail.Conflict, "service "+name, "the edge's route %s leads to it", r.Name()).Try("cnet edge unroute %s", fact.Quote(r.Name()))
		}
	}
	t.Services = without(t.Services, func(s Service) bool { return slices.Contains(names, s.Name) })
	return nil
}

// claims are the host's ports that the service takes.
func (s Service) claims() []claim { return claimed("service "+s.Name, s.Publish) }

// completeService checks a service and fills in what was left to cnet. t is
// without it.
func (t *Topology) completeService(s *Service, h Host) error {
	what := "service " + s.Name
	if s.Network == "" {
		return fail.New(fail.Usage, what, "it has no network").Try("cnet service create %s --network lab", s.Name)
	}
	n, err := t.Network(s.Network)
	if err != nil {
		return err
	}
	s.plain()
	if err := s.checkWords(); err != nil {
		return err
	}
	if k, err := t.Container(s.Name); err == nil {
		return fail.New(fail.Conflict, what, "a container has that name, and names are for both").Try("another name, like %s-all", k.Name)
	}
	if k := t.aliased(s.Name, n.Name); k != nil {
		return fail.New(fail.Conflict, what, "container %s has that name as an alias in network %s", k.Name, n.Name).
			Try("another name, like %s-all", s.Name)
	}
	if err := t.checkBackends(*s); err != nil {
		return err
	}
	for _, p := range s.Publish {
		if err := n.admits(what, p); err != nil {
			return err
		}
	}
	return t.addressed(s, n, h)
}

// plain is one way to write what can be written in several.
func (s *Service) plain() {
	if s.Mode == Random {
		s.Mode = ""
	}
	if s.GroupBy == DefaultGroupBy {
		s.GroupBy = ""
	}
	if len(s.Selector) == 0 {
		s.Selector = nil
	}
	if s.Check == nil {
		s.Ready = nil
	} else {
		c := s.Check.filled()
		s.Check = &c
	}
	s.Ports, s.Publish, s.Backends, s.Weights, s.Ready = orNil(s.Ports), orNil(s.Publish), orNil(s.Backends), orNil(s.Weights), orNil(s.Ready)
}

func orNil[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

// checkBackends refuses backends that are not on the service's network.
func (t *Topology) checkBackends(s Service) error {
	for i, b := range s.Backends {
		k, err := t.Container(b.Container)
		if err != nil {
			return err
		}
		if t.Place(k, s.Network) == nil {
			return fail.New(fail.Conflict, "service "+s.Name, "container %s is not connected to its network %s", b.Container, s.Network).
				Try("cnet connect %s %s", b.Container, s.Network)
		}
		if slices.ContainsFunc(s.Backends[:i], func(o Backend) bool { return o.Container == b.Container }) {
			return fail.New(fail.Usage, "service "+s.Name, "container %s is named twice as a backend", b.Container)
		}
	}
	return nil
}

// applyServices adds services as the file says. What it leaves open stays as it was.
func (t *Topology) applyServices(file Topology, before *Topology, h Host) error {
	t.desert()
	var addressed, others []Service // who names an address comes before who takes the next
	for _, s := range file.Services {
		if was, err := before.Service(s.Name); err == nil {
			n, err := t.Network(was.Network)
			s.inherit(*was, err == nil && n.IPv6)
		}
		if s.VIP.IsValid() || s.VIP6.IsValid() {
			addressed = append(addressed, s)
		} else {
			others = append(others, s)
		}
	}
	for _, s := range append(addressed, others...) {
		if err := t.AddService(s, h); err != nil {
			return err
		}
	}
	return nil
}

// inherit fills what the words of s leave open with what the service was, on a
// network with IPv6 or without.
func (s *Service) inherit(was Service, ipv6 bool) {
	keep(&s.Network, was.Network)
	if s.Network == was.Network && !s.Headless {
		keep(&s.VIP, was.VIP)
		if ipv6 {
			keep(&s.VIP6, was.VIP6)
		}
	}
	if s.Ready == nil && was.Check != nil {
		s.Ready = was.Ready
	}
}
