package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/nat"
	"github.com/cnetlab/cnet/pkg/route"
)

// Obstacle is a chain of somebody else's that drops what a network sends, or
// what is sent to it, though cnet's own rules let it pass: each base chain at a
// hook has its say, and one drop is enough (nft(8), "Chains").
type Obstacle struct {
	Network string
	IPv6    bool   // the packets
	Say     string // the chain and what of it drops them; no sentence of its own
	Next    string // a command that lets them pass, or what to do
}

// Obstacles looks for the chains that are in the way of networks. One that drops
// some packets only, or may pass them, is none.
func Obstacles(ctx context.Context, networks []topology.Network) ([]Obstacle, error) {
	if len(networks) == 0 {
		return nil, nil
	}
	routes, err1 := route.All(ctx)
	chains, err2 := readChains(ctx, slices.ContainsFunc(networks, func(n topology.Network) bool { return n.IPv6 }))
	h := host{own: Own{Topology: topology.Topology{Networks: networks}}, routes: routes, chains: chains}
	var list []Obstacle
	for _, n := range networks {
		for _, ipv6 := range []bool{false, true}[:1+map[bool]int{true: 1}[n.IPv6]] {
			for _, c := range chains {
				if o, ok := h.obstacle(n, c, ipv6); ok {
					list = append(list, o)
				}
			}
		}
	}
	return list, errors.Join(err1, err2)
}

// obstacle judges one chain. What stands before a jump of cnet's is for the fact
// of the jump to tell, and for a repair to mend.
func (h host) obstacle(n topology.Network, c nat.Chain, ipv6 bool) (Obstacle, bool) {
	if !c.Sees(ipv6) || c.Hook == "input" || jumpsFirst(c, n) {
		return Obstacle{}, false
	}
	for _, j := range h.through(n, linkOf(n), ipv6) {
		p, ok := j.hooks[c.Hook]
		if !ok {
			continue
		}
		if fate := c.Fate(p); fate.Outcome == nat.DropsThese {
			command, advice := letPass(c, false)
			return Obstacle{n.Name, ipv6, fmt.Sprintf("%s drops packets %s: %s", c, j.what, fate.By), command + advice}, true
		}
	}
	return Obstacle{}, false
}

// linkOf is a link of a network's, by which a packet may come.
func linkOf(n topology.Network) string { return strings.Replace(n.LinkPattern(), "+", "x", 1) }

// jumpsFirst reports whether a chain is the one in which cnet's jump stands
// first, for a network that is kept with iptables.
func jumpsFirst(c nat.Chain, n topology.Network) bool {
	main := c.Program == "iptables" || c.Program == "ip6tables"
	return main && c.Table == "filter" && c.Name == "FORWARD" && n.Firewall != nat.Nftables
}

// readChains reads the chains of all tables of all programs. Those of iptables
// cost a process for each family.
func readChains(ctx context.Context, ipv6 bool) ([]nat.Chain, error) {
	all, err := nat.NativeChains(ctx)
	saved, problem := nat.SavedChains(ctx, false)
	all, err = append(all, saved...), errors.Join(err, problem)
	if !ipv6 {
		return all, err
	}
	saved, problem = nat.SavedChains(ctx, true)
	return append(all, saved...), errors.Join(err, problem)
}
