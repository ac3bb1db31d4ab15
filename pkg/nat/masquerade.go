package nat

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/cnetlab/cnet/pkg/fact"
)

// Masquerade is the fact that what leaves a network for the world beyond the
// host carries the host's address. By hand:
//
//	iptables -t nat -A POSTROUTING -s 172.18.0.0/16 ! -o br0 -j MASQUERADE
//
// (here in cnet's own chain). Only the first packet of a connection is seen by
// the table; the kernel remembers and does the same to the rest, and the
// opposite to the replies. With nf_tables the addresses lead to a chain:
//
//	nft add chain inet cnet masquerade4-lab
//	nft add rule inet cnet masquerade4-lab oifname != "br0" counter masquerade
//	nft add element inet cnet masquerade4 { 172.18.0.0/16 : jump masquerade4-lab }
//
// There no two subnets may overlap. Needs the [Hook] "postrouting".
type Masquerade struct {
	On
	Network string       `json:"network"`
	Subnet  netip.Prefix `json:"subnet"` // the sources
	Except  string       `json:"except"` // not when leaving by this link; "br+" is all whose name begins with br
}

// Key is the network.
func (m Masquerade) Key() fact.Key { return m.key("nat.masquerade", m.Network) }

// Needs is the hook that its rules need.
func (m Masquerade) Needs() []fact.Key { return m.hooks(RolePostrouting) }

// Say names the sources.
func (m Masquerade) Say() string {
	return fmt.Sprintf("Connections from %s (network %s) carry the host's address when they leave by any link but %s.", m.Subnet, m.Network, m.Except)
}

// Why is what breaks without it.
func (m Masquerade) Why() string {
	return "The world beyond the host has no route back to a private address, so replies would never come."
}

// Probe looks for the rule.
func (m Masquerade) Probe(ctx context.Context) (fact.Truth, error) { return probe(ctx, m) }

// Make adds the rule.
func (m Masquerade) Make(ctx context.Context) error { return m.MakeAll(ctx, []fact.Fact{m}) }

// Break deletes the rule.
func (m Masquerade) Break(ctx context.Context) error { return m.BreakAll(ctx, []fact.Fact{m}) }

// Mend leaves one of the rule, where it stands more than once.
func (m Masquerade) Mend(ctx context.Context) error { return mend(ctx, m) }

// Commands are the same by hand.
func (m Masquerade) Commands(v fact.Verb) []fact.Command { return commands(v, m) }

func (m Masquerade) iptables() []Rule {
	words := fmt.Sprintf("-s %s ! -o %s", m.Subnet.Masked(), m.Except)
	return []Rule{m.rule("nat", chainPostrouting, words, "cnet "+m.Network, "MASQUERADE")}
}
