package nat

import (
	"context"
	"fmt"

	"github.com/cnetlab/cnet/pkg/fact"
)

// Forward is the fact that the packets of a network are forwarded: out and
// back, and in only to published ports. By hand:
//
//	iptables -A CNET-GUARD ! -i br0 -o br0 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
//	iptables -A CNET-ALLOW -o br0 -j ACCEPT
//	iptables -A CNET-ALLOW -i br0 -j ACCEPT
//
// The guards of all networks stand before the allowances of all networks, so
// that the order of networks never matters: a packet from one to another is
// stopped by the other's guard before anything accepts it. The state DNAT (see
// conntrack in iptables-extensions(8)) is that of connections whose destination
// was rewritten, that is, of published ports. With nf_tables the network's link
// leads to a guard that all networks share, and the ways inside are in a set:
//
//	nft add element inet cnet inside { ipv4 . "br0" . "br0" comment "cnet lab" }
//	nft add element inet cnet to { ipv4 . "br0" comment "cnet lab" : jump entry }
//
// Needs the [Hook] "forward".
type Forward struct {
	On
	Network  string `json:"network"`
	Iface    string `json:"iface"`              // the network's bridge
	Internal bool   `json:"internal,omitempty"` // nothing in from elsewhere, nothing out
	NoICC    bool   `json:"noicc,omitempty"`    // containers of the network do not reach each other
}

// Key is the network.
func (f Forward) Key() fact.Key { return f.key("nat.forward", f.Network) }

// Needs is the hook that its rules need.
func (f Forward) Needs() []fact.Key { return f.hooks(RoleForward) }

// Say is what passes.
func (f Forward) Say() string {
	s := fmt.Sprintf("Network %s (%s) sends anywhere over %s and is entered only by replies and published ports", f.Network, f.Iface, f.family())
	if f.Internal {
		s = fmt.Sprintf("Nothing over %s passes between network %s (%s) and the rest of the world", f.family(), f.Network, f.Iface)
	}
	if f.NoICC {
		s += ", nor do its containers reach each other"
	}
	return s + "."
}

// Why is what breaks without it.
func (f Forward) Why() string {
	if f.Internal {
		return "An internal network would have a way out, and strangers a way in."
	}
	open := "Other networks and neighbours of the host could reach every port of the containers"
	if f.Backend == Nftables { // where to accept overrides nobody's policy
		return open + "."
	}
	return open + ", or a DROP policy would stop them all."
}

// Probe looks for the rules.
func (f Forward) Probe(ctx context.Context) (fact.Truth, error) { return probe(ctx, f) }

// Make adds the rules.
func (f Forward) Make(ctx context.Context) error { return f.MakeAll(ctx, []fact.Fact{f}) }

// Break deletes the rules.
func (f Forward) Break(ctx context.Context) error { return f.BreakAll(ctx, []fact.Fact{f}) }

// Mend adds the rules that are missing, and leaves one of each.
func (f Forward) Mend(ctx context.Context) error { return mend(ctx, f) }

// Commands are the same by hand.
func (f Forward) Commands(v fact.Verb) []fact.Command { return commands(v, f) }

func (f Forward) iptables() []Rule {
	in, out := "-i "+f.Iface, "-o "+f.Iface
	notIn, notOut := "! "+in, "! "+out
	const fresh = " -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT"
	switch {
	case f.Internal && f.NoICC:
		return []Rule{
			f.guard(in + " " + notOut),
			f.guard(notIn + " " + out),
			f.guard(in + " " + out + fresh),
			f.allow(in + " " + out),
		}
	case f.Internal:
		return []Rule{
			f.guard(in + " " + notOut),
			f.guard(notIn + " " + out),
			f.allow(in + " " + out),
		}
	case f.NoICC:
		return []Rule{f.guard(out + fresh), f.allow(out), f.allow(in)}
	}
	return []Rule{f.guard(notIn + " " + out + fresh), f.allow(out), f.allow(in)}
}

func (f Forward) guard(words string) Rule {
	return f.rule("filter", chainGuard, words, "cnet "+f.Network, "DROP")
}

func (f Forward) allow(words string) Rule {
	return f.rule("filter", chainAllow, words, "cnet "+f.Network, "ACCEPT")
}
