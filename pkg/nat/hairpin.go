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
//
// A reply goes astray also where a container with links in two networks is
// called from the one that its published ports do not lead to: it has a shorter
// way back. Then Container and To say whose ports, and Network and Subnet are
// the caller's:
//
//	iptables -t nat -A CNET-POSTROUTING -s 10.77.1.0/24 -d 10.77.0.2 -o br0 -m conntrack --ctstate DNAT -j MASQUERADE
//
// With nf_tables both are elements of one set, of the link that the packet leaves
// by, where it came from and where it goes:
//
//	nft add element inet cnet hairpin4 { "br0" . 10.77.0.0/24 . 0.0.0.0/0 }
//	nft add element inet cnet hairpin4 { "br0" . 10.77.1.0/24 . 10.77.0.2 }
type Hairpin struct {
	On
	Network   string       `json:"network"`
	Subnet    netip.Prefix `json:"subnet"`
	Iface     string       `json:"iface"`               // the bridge that the published ports lead to
	Container string       `json:"container,omitempty"` // its ports only; if empty, those of all
	To        netip.Addr   `json:"to"`                  // the container's address
}

// Key is the network, and the container if there is one.
func (h Hairpin) Key() fact.Key {
	if h.Container != "" {
		return h.key("nat.hairpin", h.Network+" to "+h.Container)
	}
	return h.key("nat.hairpin", h.Network)
}

// Needs is the hook that its rules need.
func (h Hairpin) Needs() []fact.Key { return h.hooks(RolePostrouting) }

// Say names the sources.
func (h Hairpin) Say() string {
	if h.Container != "" {
		return fmt.Sprintf("Connections from %s (network %s) to a published port of container %s carry the address of %s.", h.Subnet, h.Network, h.Container, h.Iface)
	}
	return fmt.Sprintf("Connections from %s to a published port of their own network %s carry the address of %s.", h.Subnet, h.Network, h.Iface)
}

// Why is what breaks without it.
func (h Hairpin) Why() string {
	if h.Container != "" {
		return fmt.Sprintf("Container %s has a link in that network too: the reply would take it, from an address that the caller never called.", h.Container)
	}
	return "The reply would go straight over the bridge, from an address that the caller never called, and be refused."
}

// Probe looks for the rule.
func (h Hairpin) Probe(ctx context.Context) (fact.Truth, error) { return probe(ctx, h) }

// Make adds the rule.
func (h Hairpin) Make(ctx context.Context) error { return h.MakeAll(ctx, []fact.Fact{h}) }

// Break deletes the rule.
func (h Hairpin) Break(ctx context.Context) error { return h.BreakAll(ctx, []fact.Fact{h}) }

// Mend leaves one of the rule, where it stands more than once.
func (h Hairpin) Mend(ctx context.Context) error { return mend(ctx, h) }

// Commands are the same by hand.
func (h Hairpin) Commands(v fact.Verb) []fact.Command { return commands(v, h) }

func (h Hairpin) iptables() []Rule {
	from, to, note := "-s "+h.Subnet.Masked().String(), " -o "+h.Iface+" -m conntrack --ctstate DNAT", "cnet "+h.Network
	if h.Container != "" {
		to, note = " -d "+h.To.String()+to, "cnet "+h.Container
	}
	return []Rule{h.rule("nat", chainPostrouting, from+to, note, "MASQUERADE")}
}
