package topology

import (
	"math/big"
	"net/netip"
	"slices"
	"strings"
)

// Member is a container that answers for a service, and its share.
type Member struct {
	Container string     `json:"container"`
	Group     string     `json:"group,omitempty"`
	IP        netip.Addr `json:"ip"`
	IP6       netip.Addr `json:"ip6,omitempty,omitzero"`
	Port      uint16     `json:"port,omitempty"` // its own, where it is not that of the service's port
	Ready     bool       `json:"ready"`
	Weight    int        `json:"weight"` // its part of the sum of all weights
}

// Members are the containers that answer for a service in the order of their
// names: those it names, and those that its selector chooses on its network.
func (t *Topology) Members(s Service) []Member { return t.crew().members(s) }

// crew finds the members of services. Containers are looked up by their labels,
// so that many services cost little more than one.
type crew struct {
	topo     *Topology
	labelled map[string][]*Container // by "key=value"
}

func (t *Topology) crew() *crew { return &crew{topo: t} }

// with are the containers that have a label.
func (c *crew) with(key, value string) []*Container {
	if c.labelled == nil {
		c.labelled = make(map[string][]*Container)
		for i := range c.topo.Containers {
			k := &c.topo.Containers[i]
			for key, value := range k.Labels {
				c.labelled[key+"="+value] = append(c.labelled[key+"="+value], k)
			}
		}
	}
	return c.labelled[key+"="+value]
}

// chosen are the containers that have all labels of a selector.
func (c *crew) chosen(selector map[string]string) (list []*Container) {
	first := true
	for key, value := range selector {
		if have := c.with(key, value); first || len(have) < len(list) {
			list, first = have, false
		}
	}
	return slices.DeleteFunc(slices.Clone(list), func(k *Container) bool { return !k.has(selector) })
}

// has reports whether the container has all of these labels.
func (k *Container) has(labels map[string]string) bool {
	for key, value := range labels {
		if have, ok := k.Labels[key]; !ok || have != value {
			return false
		}
	}
	return true
}

func (c *crew) members(s Service) (list []Member) {
	add := func(k *Container, port uint16) {
		a := c.topo.Place(k, s.Network)
		if a != nil {
			list = append(list, Member{
				Container: k.Name, Group: k.Labels[s.groupBy()], IP: a.IP, IP6: a.IP6, Port: port,
				Ready: s.Check == nil || slices.Contains(s.Ready, k.Name),
			})
		}
	}
	for _, b := range s.Backends {
		if k, err := c.topo.Container(b.Container); err == nil {
			add(k, b.Port)
		}
	}
	for _, k := range c.chosen(s.Selector) {
		if !s.names(k.Name) {
			add(k, 0)
		}
	}
	slices.SortFunc(list, func(a, b Member) int { return strings.Compare(a.Container, b.Container) })
	s.weigh(list)
	return list
}

// names reports whether the service names the container as a backend.
func (s Service) names(container string) bool {
	return slices.ContainsFunc(s.Backends, func(b Backend) bool { return b.Container == container })
}

// Place is where a container's stack is in a network. It is nil where it is not there.
func (t *Topology) Place(k *Container, network string) *Attachment {
	if holder, err := t.Container(k.Share); k.Share != "" && err == nil {
		k = holder
	}
	return k.Attachment(network)
}

func (s Service) groupBy() string {
	if s.GroupBy == "" {
		return DefaultGroupBy
	}
	return s.GroupBy
}

// Weighed are the names by which weights are given, by container: its own, if a
// weight bears it or it is in no group; or else that of its group. A name that a
// member has is never that of a group.
func (s Service) Weighed(list []Member) map[string]string {
	own, by := make(map[string]bool), make(map[string]string, len(list))
	for _, m := range list {
		own[m.Container] = true
	}
	for _, m := range list {
		by[m.Container] = m.Group
		weighs := func(w Weight) bool { return w.Name == m.Container }
		if m.Group == "" || own[m.Group] || slices.ContainsFunc(s.Weights, weighs) {
			by[m.Container] = m.Container
		}
	}
	return by
}

// weigh gives each member its share. A backend's own weight is its own; that of
// a group is shared evenly among its members. Where there are weights, who has
// none gets nothing; where there are not, all are alike.
func (s Service) weigh(list []Member) {
	weights := make(map[string]int, len(s.Weights))
	for _, w := range s.Weights {
		weights[w.Name] = w.Weight
	}
	by, crowd := s.Weighed(list), make(map[string]int) // how many share a weight
	for _, m := range list {
		if m.Ready {
			crowd[by[m.Container]]++
		}
	}
	parts := make([]part, len(list))
	for i, m := range list {
		name := by[m.Container]
		switch {
		case !m.Ready:
			parts[i] = part{0, 1}
		case len(weights) == 0:
			parts[i] = part{1, 1}
		default:
			parts[i] = part{weights[name], crowd[name]}
		}
	}
	for i, n := range s.whole(parts) {
		list[i].Weight = n
	}
}

// Weights are the shares of a service's backends and groups as they are: those
// that were set, and nothing for the others; where none was, one for each member.
// Members of a group are together under its name.
func (t *Topology) Weights(s Service) []Weight {
	list, members := slices.Clone(s.Weights), t.Members(s)
	at := func(name string) int { return slices.IndexFunc(list, func(w Weight) bool { return w.Name == name }) }
	by := s.Weighed(members)
	for _, m := range members {
		name := by[m.Container]
		if at(name) < 0 {
			list = append(list, Weight{Name: name})
		}
		if len(s.Weights) == 0 {
			list[at(name)].Weight++
		}
	}
	return list
}

// part is a share of a weight among so many.
type part struct{ weight, among int }

// The largest sum of weights: with exact shares each part of it is a slot of its
// own. Shares that would need more are rounded.
const (
	mostSlots  = 1000
	mostChance = 1 << 20
)

// whole are the smallest whole numbers in proportion to the parts.
func (s Service) whole(parts []part) []int {
	common := big.NewInt(1) // the least common multiple of the denominators
	for _, p := range parts {
		n := big.NewInt(int64(p.among))
		common.Div(new(big.Int).Mul(common, n), new(big.Int).GCD(nil, nil, common, n))
	}
	values, divisor, sum := make([]*big.Int, len(parts)), new(big.Int), new(big.Int)
	for i, p := range parts {
		values[i] = new(big.Int).Mul(big.NewInt(int64(p.weight)), new(big.Int).Div(common, big.NewInt(int64(p.among))))
		divisor.GCD(nil, nil, divisor, values[i])
		sum.Add(sum, values[i])
	}
	if sum.Sign() == 0 {
		return make([]int, len(parts))
	}
	most := big.NewInt(mostChance)
	if s.Mode == Exact { // each part of the sum is a slot of its own
		most = big.NewInt(mostSlots)
	}
	list := make([]int, len(parts))
	sum.Div(sum, divisor)
	for i, v := range values {
		v.Div(v, divisor)
		if sum.Cmp(most) > 0 && v.Sign() > 0 {
			v.Div(v.Mul(v, most), sum)
			v.Add(v, big.NewInt(1)) // nobody's share is rounded away
		}
		list[i] = int(v.Int64())
	}
	return list
}
