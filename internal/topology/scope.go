package topology

import (
	"maps"
	"net/netip"
	"reflect"
	"slices"
)

// Scope is the owners of facts that are looked at; nil is all of them.
type Scope map[string]bool

// Has reports whether the facts of an owner are looked at.
func (s Scope) Has(owner string) bool { return s == nil || s[owner] }

// Touched are the owners whose facts can differ between two topologies: what was
// added, changed or removed, the networks at whose edge that is, what lives in them
// or shares a namespace with it, and the services that it joins or leaves. It is empty if nothing differs.
//
// So a change costs as much as what it touches, not as much as the host holds.
func Touched(before, after Topology) Scope {
	s := make(Scope)
	changed := differ(before.Networks, after.Networks, Network.name, sameEdge)
	was, is := edgesOf(before), edgesOf(after)
	for _, n := range after.Networks {
		if was[n.Name] == is[n.Name] {
			continue
		}
		s["network "+n.Name] = true
		if n.Driver == PTP {
			changed[n.Name] = struct{}{} // its edge is at each of its cables
		}
	}
	for _, ipv6 := range []bool{false, true} {
		ports, services := before.overNames(ipv6)
		if nowPorts, nowServices := after.overNames(ipv6); ports == nowPorts && services == nowServices {
			continue
		}
		for _, n := range append(slices.Clone(before.Networks), after.Networks...) {
			s["network "+n.Name] = true
		}
	}
	for name := range changed {
		s["network "+name] = true
	}
	for name := range differ(before.Networks, after.Networks, Network.name, sameNetwork) {
		s["network "+name] = true // its file differs, if not its facts
	}
	for _, n := range overlapping(changed, before.Networks, after.Networks) {
		s["network "+n] = true
	}
	containers := differ(before.Containers, after.Containers, Container.name, sameContainer)
	for _, t := range []Topology{before, after} {
		for _, k := range t.Containers {
			_, own := containers[k.Name]
			_, pod := containers[k.Share]
			lives := slices.ContainsFunc(t.Stack(k).Networks, func(a Attachment) bool { _, ok := changed[a.Network]; return ok })
			if !own && !pod && !lives {
				continue
			}
			s["container "+k.Name] = true
			if own {
				for _, a := range k.Networks {
					s["network "+a.Network] = true
				}
			}
		}
	}
	s.services(before, after, changed)
	if len(s) > 0 {
		s[HostOwner] = true
	}
	return s
}

// services adds the services that differ, also in their members or in how the host
// reaches them, and the containers whose cables or routes follow from services.
func (s Scope) services(before, after Topology, networks map[string]struct{}) {
	if len(before.Services)+len(after.Services) == 0 {
		return
	}
	for name := range differ(before.Services, after.Services, Service.name, sameService) {
		s["service "+name] = true
	}
	was, is := servingOf(before), servingOf(after)
	for _, v := range after.Services {
		if _, ok := networks[v.Network]; ok || was.lives[v.Network] != is.lives[v.Network] || !slices.Equal(was.members[v.Name], is.members[v.Name]) {
			s["service "+v.Name] = true
		}
	}
	for _, v := range []serving{was, is} {
		for at := range v.backs {
			if was.backs[at] != is.backs[at] {
				s["container "+at.container] = true
			}
		}
	}
	for _, t := range []Topology{before, after} {
		for _, k := range t.Containers {
			if slices.ContainsFunc(k.Networks, func(a Attachment) bool {
				return !a.Leads() && !slices.Equal(was.vips[a.Network], is.vips[a.Network])
			}) {
				s["container "+k.Name] = true
			}
		}
	}
}

// overlapping are the networks that share addresses with one that changed: one
// may do for the other what the other needs.
func overlapping(changed map[string]struct{}, before, after []Network) (names []string) {
	all := append(slices.Clone(before), after...)
	for _, n := range all {
		if _, ok := changed[n.Name]; !ok {
			continue
		}
		for _, o := range all {
			if o.Name != n.Name && (o.AllowOverlap || n.AllowOverlap) && (o.Subnet.Overlaps(n.Subnet) || o.Subnet6.Overlaps(n.Subnet6)) {
				names = append(names, o.Name)
			}
		}
	}
	return names
}

// differ are the names of what is in one list only, or not the same in both.
// Both are sorted by name.
func differ[T any](a, b []T, name func(T) string, same func(T, T) bool) map[string]struct{} {
	names := make(map[string]struct{})
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && name(a[0]) < name(b[0]):
			names[name(a[0])] = struct{}{}
			a = a[1:]
		case len(a) == 0 || name(b[0]) < name(a[0]):
			names[name(b[0])] = struct{}{}
			b = b[1:]
		default:
			if !same(a[0], b[0]) {
				names[name(a[0])] = struct{}{}
			}
			a, b = a[1:], b[1:]
		}
	}
	return names
}

func (n Network) name() string   { return n.Name }
func (c Container) name() string { return c.Name }
func (s Service) name() string   { return s.Name }

func sameNetwork(a, b Network) bool { return reflect.DeepEqual(a, b) }

// sameEdge compares what the facts of a network's containers depend on: not which
// address was handed out last.
func sameEdge(a, b Network) bool {
	a.Last, b.Last = netip.Addr{}, netip.Addr{}
	return sameNetwork(a, b)
}

func sameContainer(a, b Container) bool {
	return a.Name == b.Name && a.Netns == b.Netns && a.NetnsID == b.NetnsID && a.NetnsBoot == b.NetnsBoot &&
		a.Share == b.Share && a.Stack == b.Stack && maps.Equal(a.Labels, b.Labels) && slices.Equal(a.Nameservers, b.Nameservers) && slices.Equal(a.Search, b.Search) &&
		slices.EqualFunc(a.Networks, b.Networks, sameAttachment) && slices.Equal(a.Publish, b.Publish) && reflect.DeepEqual(a.Sidecar, b.Sidecar)
}

func sameAttachment(a, b Attachment) bool {
	return a.Network == b.Network && a.Interface == b.Interface && a.IP == b.IP && a.IP6 == b.IP6 && a.MAC == b.MAC &&
		slices.Equal(a.Aliases, b.Aliases) && a.Leads() == b.Leads() && (a.DefaultRoute == nil) == (b.DefaultRoute == nil)
}

func sameService(a, b Service) bool { return reflect.DeepEqual(a, b) }
