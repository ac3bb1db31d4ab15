package nat

import (
	"context"
	"fmt"

	"github.com/cnetlab/cnet/pkg/fact"
)

// Loopback is the fact that the host reaches a network's published ports by
// 127.0.0.1, and that no container reaches the host's 127.0.0.1. By hand:
//
//	iptables -t nat -A CNET-POSTROUTING -s 127.0.0.0/8 -o br0 -j MASQUERADE
//	iptables -t raw -A CNET-RAW -d 127.0.0.0/8 -i br0 -j DROP
//	iptables -t raw -A CNET-RAW -s 127.0.0.0/8 -i br0 -j DROP
//
// Needs the [Hook] "postrouting" and "loopback", and the setting
// net.ipv4.conf.br0.route_localnet = 1, which is what lets containers in and
// makes the other rules necessary.
//
// For IPv6 and ::1 the first rule alone is made, because the kernel drops
// packets to ::1 from any link but lo before any rule sees them. There is no
// route_localnet. The reply arrives for an address of the bridge, becomes one
// for ::1 in PREROUTING, and is then routed by its link, so that the bridge
// needs a route of its own:
//
//	ip6tables -t nat -A CNET-POSTROUTING -s ::1 -o br0 -j MASQUERADE
//	ip -6 route append local ::1 dev br0 table local metric 4096
//
// It does not work while net.bridge.bridge-nf-call-ip6tables is 1: then the
// bridge itself runs PREROUTING, and the kernel's check for ::1 comes after.
//
// With nf_tables there is no such fact for IPv6; for IPv4 it is an element of a set:
//
//	nft add element inet cnet loopback { ipv4 . "br0" comment "cnet lab" }
type Loopback struct {
	On
	Network string `json:"network"`
	Iface   string `json:"iface"` // the network's bridge
}

// Key is the network.
func (l Loopback) Key() fact.Key { return l.key("nat.loopback", l.Network) }

// Needs is the hooks that its rules need.
func (l Loopback) Needs() []fact.Key { return l.hooks(RolePostrouting, RoleLoopback) }

// Say names the bridge.
func (l Loopback) Say() string {
	if l.IPv6 {
		return fmt.Sprintf("The host reaches published ports of network %s by ::1 and appears there with the address of %s.", l.Network, l.Iface)
	}
	return fmt.Sprintf("The host reaches published ports of network %s by 127.0.0.1 and appears there with the address of %s; containers reach neither the host's 127.0.0.1 nor anything from such an address.", l.Network, l.Iface)
}

// Why is what breaks without it.
func (l Loopback) Why() string {
	return "A packet from 127.0.0.1 may not leave the host: the container would reply to its own loopback."
}

// Probe looks for the rules.
func (l Loopback) Probe(ctx context.Context) (fact.Truth, error) { return probe(ctx, l) }

// Make adds the rules.
func (l Loopback) Make(ctx context.Context) error { return l.MakeAll(ctx, []fact.Fact{l}) }

// Break deletes the rules.
func (l Loopback) Break(ctx context.Context) error { return l.BreakAll(ctx, []fact.Fact{l}) }

// Mend adds the rules that are missing, and leaves one of each.
func (l Loopback) Mend(ctx context.Context) error { return mend(ctx, l) }

// Commands are the same by hand.
func (l Loopback) Commands(v fact.Verb) []fact.Command { return commands(v, l) }

func (l Loopback) iptables() []Rule {
	note := "cnet " + l.Network
	if l.IPv6 {
		return []Rule{l.rule("nat", chainPostrouting, "-s ::1 -o "+l.Iface, note, "MASQUERADE")}
	}
	const loopback = "127.0.0.0/8"
	return []Rule{
		l.rule("nat", chainPostrouting, "-s "+loopback+" -o "+l.Iface, note, "MASQUERADE"),
		l.rule("raw", chainRaw, "-d "+loopback+" -i "+l.Iface, note, "DROP"),
		l.rule("raw", chainRaw, "-s "+loopback+" -i "+l.Iface, note, "DROP"),
	}
}
