package nat

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/cnetlab/cnet/pkg/fact"
)

// Hairpin is the fact that a container which calls a published port of its own
// network appears there with the bridge's address. By hand:
//
//	iptables -t nat -A CNET-POSTROUTING -s 10.77.0.0/24 -o br0 -m conntrack --ctstate DNAT -j MASQUERADE
//
// The packet made a hairpin turn: up to the host, and back down the same
// bridge. Were its source kept, the reply would go straight to the caller over
// the bridge, from an address that the caller never called. Needs the [Hook]
// "postrouting"; for a container that calls itself the bridge port must be in
// hairpin mode too.
type Hairpin struct {
	On
	Network string       `json:"network"`
	Subnet  netip.Prefix `json:"subnet"`
	Iface   string       `json:"iface"` // the network's bridge
}

// Key is the network.
func (h Hairpin) Key() fact.Key { return h.key("nat.hairpin", h.Network) }

// Say names the sources.
func (h Hairpin) Say() string {
	return fmt.Sprintf("Connections from %s to a published port of their own network %s carry the address of %s.", h.Subnet, h.Network, h.Iface)
}

// Why is what breaks without it.
func (h Hairpin) Why() string {
	return "The reply would go straight over the bridge, from an address that the caller never called, and be refused."
}

// Probe looks for the rule.
func (h Hairpin) Probe(ctx context.Context) (fact.Truth, error) { return probe(ctx, h) }

// Make adds the rule.
func (h Hairpin) Make(ctx context.Context) error { return h.MakeAll(ctx, []fact.Fact{h}) }

// Break deletes the rule.
func (h Hairpin) Break(ctx context.Context) error { return h.BreakAll(ctx, []fact.Fact{h}) }

// Commands are the same by hand.
func (h Hairpin) Commands(v fact.Verb) []fact.Command { return commands(v, h) }

func (h Hairpin) iptables() []Rule {
	words := fmt.Sprintf("-s %s -o %s -m conntrack --ctstate DNAT", h.Subnet.Masked(), h.Iface)
	return []Rule{h.rule("nat", chainPostrouting, words, "cnet "+h.Network, "MASQUERADE")}
}
