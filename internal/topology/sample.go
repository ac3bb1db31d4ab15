package topology

import "math/rand"

// Sample is the topology with at most n of its containers, chosen by chance from
// those that have a network stack of their own, with those that share it, and the
// services all of whose backends are among them. The same seed chooses the same.
func (t Topology) Sample(n int, seed int64) Topology {
	var stacks []string
	for _, c := range t.Containers {
		if c.Share == "" {
			stacks = append(stacks, c.Name)
		}
	}
	rand.New(rand.NewSource(seed)).Shuffle(len(stacks), func(i, j int) { stacks[i], stacks[j] = stacks[j], stacks[i] })
	chosen := make(map[string]bool, n)
	for _, name := range stacks[:min(n, len(stacks))] {
		chosen[name] = true
	}
	out, left := t.Clone(), make(map[string]bool)
	out.Containers = nil
	for _, c := range t.Containers {
		if chosen[c.Name] || chosen[c.Share] {
			out.Containers = append(out.Containers, c)
		} else {
			left[c.Name] = true
		}
	}
	all, some := t.crew(), out.crew()
	out.Services = without(out.Services, func(s Service) bool { return len(some.members(s)) < len(all.members(s)) })
	out.forgetExpect(left)
	return out
}
