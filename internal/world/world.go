// Package world is what lies beyond the host of a sandbox: an uplink, a far side
// that answers for the internet, and a neighbour.
//
//	    host                          outside                  neighbour
//	┌──────────┐              ┌──────────────────────┐        ┌──────────┐
//	│   eth0 ──┼──────────────┼─ to-host             │        │          │
//	│ .2       │              │    lan .1  to-neigh ─┼────────┼─ eth0 .3 │
//	└──────────┘              │  lo 198.51.100.1     │        └──────────┘
//	                          │  a server on port 80 │
//	                          └──────────────────────┘
//
// All addresses are for documentation (RFC 5737, RFC 3849). The segment is
// 203.0.113.0/24 and 2001:db8::/64; "the internet" is 198.51.100.1 and
// 2001:db8:100::1. The host's default routes lead to the outside. The outside
// knows no other way back than the segment: a private source address gets no
// answer, as in the real world, though the server writes down that it came.
package world

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/cnetlab/cnet/pkg/bridge"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/cnetlab/cnet/pkg/route"
	"github.com/cnetlab/cnet/pkg/sysctl"
	"github.com/cnetlab/cnet/pkg/veth"
)

// Paths of a world.
const (
	Outside   = "/run/netns/outside"
	Neighbour = "/run/netns/neighbour"
	Uplink    = "eth0"             // the host's link to the outside
	Log       = "/run/outside.log" // the outside's server: each request, with the source address that arrived
	Port      = 80                 // of the outside's server, TCP and UDP
)

// World is the addresses of a world.
type World struct {
	Host, Host6           netip.Addr // of the host's uplink
	Outside, Outside6     netip.Addr // of the far side, on the same segment: the host's gateway
	Neighbour, Neighbour6 netip.Addr // of a third host on the segment
	Internet, Internet6   netip.Addr // of the far side, on no segment: an address like any other out there
}

// Addresses are those of every world.
func Addresses() World {
	a := netip.MustParseAddr
	return World{
		Host: a("203.0.113.2"), Host6: a("2001:db8::2"),
		Outside: a("203.0.113.1"), Outside6: a("2001:db8::1"),
		Neighbour: a("203.0.113.3"), Neighbour6: a("2001:db8::3"),
		Internet: a("198.51.100.1"), Internet6: a("2001:db8:100::1"),
	}
}

// Build makes the world around this process, which runs in a new sandbox, and
// starts its server, which runs in this process until ctx ends. It returns once
// the server answers the host. IPv6 is left out where the kernel has none.
func Build(ctx context.Context) (*World, error) {
	w := Addresses()
	if err := w.make(ctx); err != nil {
		return nil, fmt.Errorf("build the world: %w", err)
	}
	if err := serveOutside(ctx); err != nil {
		return nil, fmt.Errorf("build the world: %w", err)
	}
	if err := w.await(ctx); err != nil {
		return nil, fmt.Errorf("build the world: %w", err)
	}
	return &w, nil
}

func (w World) make(ctx context.Context) error {
	ctx, done := netns.Keep(ctx)
	defer done()
	facts := append(segment(), w.wiring()...)
	if hasIPv6() {
		facts = append(facts, w.wiring6()...)
	}
	for _, f := range facts {
		if err := f.Make(ctx); err != nil {
			return err
		}
	}
	return nil
}

// segment is the namespaces, and one Ethernet that joins them to the host.
func segment() []fact.Fact {
	const lan, toHost, toNeighbour = "lan", "to-host", "to-neigh"
	return []fact.Fact{
		netns.Dir{Path: "/run/netns"},
		netns.Named{Path: Outside},
		netns.Named{Path: Neighbour},
		// A new namespace inherits these from the machine. A kernel that stops
		// forwarding begins to accept redirects (ip-sysctl.rst).
		sysctl.Setting{Name: "net.ipv4.ip_forward", Value: "0"},
		sysctl.Setting{Name: "net.ipv4.conf.all.accept_redirects", Value: "1"},
		sysctl.Setting{Netns: Outside, Name: "net.ipv4.ip_forward", Value: "0"},
		sysctl.Setting{Netns: Neighbour, Name: "net.ipv4.ip_forward", Value: "0"},
		bridge.Bridge{Netns: Outside, Name: lan},
		veth.Pair{Name: Uplink, Peer: toHost, PeerNetns: Outside},
		veth.Pair{Netns: Neighbour, Name: "eth0", Peer: toNeighbour, PeerNetns: Outside},
		bridge.Port{Netns: Outside, Link: toHost, Bridge: lan},
		bridge.Port{Netns: Outside, Link: toNeighbour, Bridge: lan},
		route.Up{Netns: Outside, Link: "lo"},
		route.Up{Netns: Outside, Link: lan},
		route.Up{Netns: Outside, Link: toHost},
		route.Up{Netns: Outside, Link: toNeighbour},
		route.Up{Netns: Neighbour, Link: "lo"},
		route.Up{Netns: Neighbour, Link: "eth0"},
		route.Up{Link: "lo"},
		route.Up{Link: Uplink},
	}
}

func (w World) wiring() []fact.Fact {
	return append(addresses(24, 32, w.Host, w.Outside, w.Neighbour, w.Internet),
		route.Route{Via: w.Outside, Link: Uplink},
		route.Route{Netns: Neighbour, Via: w.Outside, Link: "eth0"},
	)
}

func (w World) wiring6() []fact.Fact {
	return append(addresses(64, 128, w.Host6, w.Outside6, w.Neighbour6, w.Internet6),
		route.Route{Via: w.Outside6, Link: Uplink},
		route.Route{Netns: Neighbour, Via: w.Outside6, Link: "eth0"},
	)
}

func addresses(bits, all int, host, outside, neighbour, internet netip.Addr) []fact.Fact {
	return []fact.Fact{
		route.Address{Link: Uplink, Prefix: netip.PrefixFrom(host, bits)},
		route.Address{Netns: Outside, Link: "lan", Prefix: netip.PrefixFrom(outside, bits)},
		route.Address{Netns: Outside, Link: "lo", Prefix: netip.PrefixFrom(internet, all)},
		route.Address{Netns: Neighbour, Link: "eth0", Prefix: netip.PrefixFrom(neighbour, bits)},
	}
}
