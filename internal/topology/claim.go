package topology

import (
	"cmp"
	"slices"
)

// claim is a published port and what has it: "container web".
type claim struct {
	Port
	by string
}

// clash returns the first two claims to the same port of the host, of those of
// all containers and services and then fresh ones.
func (t *Topology) clash(fresh []claim) (first, second claim, found bool) {
	seen := make(numbers)
	crowded := false
	for i := range t.Containers {
		for _, p := range t.Containers[i].Publish {
			crowded = seen.add(p) || crowded
		}
	}
	for i := range t.Services {
		for _, p := range t.Services[i].Publish {
			crowded = seen.add(p) || crowded
		}
	}
	if t.Edge != nil {
		for _, c := range t.Edge.claims() {
			crowded = seen.add(c.Port) || crowded
		}
	}
	for _, c := range fresh {
		crowded = seen.add(c.Port) || crowded
	}
	if !crowded {
		return first, second, false
	}
	return clash(append(t.claims(), fresh...))
}

// numbers are the port numbers seen, by protocol. Ports without a number in
// common cannot be the same, and that is quickly known.
type numbers map[string]*[1 << 16]bool

// add reports whether one of the numbers was seen before.
func (n numbers) add(p Port) (again bool) {
	seen := n[p.Proto]
	if seen == nil {
		seen = new([1 << 16]bool)
		n[p.Proto] = seen
	}
	for i := int(p.Host); i <= int(p.HostEnd); i++ {
		again = again || seen[i]
		seen[i] = true
	}
	return again
}

// claims are the published ports of all containers and services.
func (t *Topology) claims() (all []claim) {
	for i := range t.Containers {
		all = append(all, t.Containers[i].claims()...)
	}
	for i := range t.Services {
		all = append(all, t.Services[i].claims()...)
	}
	if t.Edge != nil {
		all = append(all, t.Edge.claims()...)
	}
	return all
}

// clash returns the first two claims to the same port of the host, in the order
// of all. Only neighbours in the order of their ports are compared.
func clash(all []claim) (first, second claim, found bool) {
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		if all[i].Host != all[j].Host {
			return cmp.Compare(all[i].Host, all[j].Host)
		}
		return cmp.Compare(i, j)
	})
	one, two := 0, len(all)
	for k, i := range order {
		p := all[i]
		for _, j := range order[k+1:] {
			q := all[j]
			if q.Host > p.HostEnd {
				break
			}
			if p.Overlaps(q.Port) && max(i, j) < two {
				one, two = min(i, j), max(i, j)
			}
		}
	}
	if two == len(all) {
		return claim{}, claim{}, false
	}
	return all[one], all[two], true
}
