package nat_test

import (
	"context"
	"net/netip"
	"os/exec"
	"testing"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
)

var (
	nft4 = nat.On{Backend: nat.Nftables}
	nft6 = nat.On{Backend: nat.Nftables, IPv6: true}
)

// inNft runs fn in a sandbox where nft(8) can be asked.
func inNft(t *testing.T, fn func(t *testing.T)) {
	t.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skipf("what the kernel holds is compared by nft list ruleset: %v", err)
	}
	hosttest.Run(t, fn)
}

// nftHooks are those of all roles.
func nftHooks() (facts []fact.Fact) {
	for _, role := range []string{nat.RoleForward, nat.RolePostrouting, nat.RolePublish, nat.RoleLoopback} {
		for _, h := range nat.Hooks(nft4, role) {
			facts = append(facts, h)
		}
	}
	return fact.Unique(facts)
}

// nftNetwork are the facts of a network for both families.
func nftNetwork(name, iface, subnet, subnet6 string) (facts []fact.Fact) {
	for i, on := range []nat.On{nft4, nft6} {
		p := netip.MustParsePrefix([]string{subnet, subnet6}[i])
		facts = append(facts,
			nat.Forward{On: on, Network: name, Iface: iface},
			nat.Masquerade{On: on, Network: name, Subnet: p, Except: "cnet+"},
			nat.Hairpin{On: on, Network: name, Subnet: p, Iface: iface})
	}
	return append(facts, nat.Loopback{On: nft4, Network: name, Iface: iface})
}

func nftEverything() []fact.Fact {
	facts := append(nftHooks(), nftNetwork("lab", "cnet-lab", "10.77.0.0/24", "fd77::/64")...)
	facts = append(facts, nftNetwork("next.x_Y", "cnetp1a2b+", "10.77.1.0/24", "fd77:0:0:1::/64")...)
	detour := nat.Hairpin{On: nft4, Network: "next", Subnet: netip.MustParsePrefix("10.77.1.0/24"), Iface: "cnet-lab", Container: "web", To: netip.MustParseAddr("10.77.0.2")}
	detour6 := nat.Hairpin{On: nft6, Network: "next", Subnet: netip.MustParsePrefix("fd77:0:0:1::/64"), Iface: "cnetp3c4d+", Container: "web", To: netip.MustParseAddr("fd77::2")}
	return append(facts,
		nat.Forward{On: nft4, Network: "inner", Iface: "cnet-inner", Internal: true},
		nat.Forward{On: nft4, Network: "alone", Iface: "cnet-alone", NoICC: true},
		nat.Forward{On: nft6, Network: "both", Iface: "cnet-both", NoICC: true, Internal: true},
		detour, detour6,
		port(nft4, "tcp", "10.77.0.2", 8080, 8080, 80),
		port(nft4, "udp", "10.77.0.2", 8080, 8080, 80),
		port(nft4, "sctp", "10.77.0.2", 8080, 8080, 80),
		port(nft4, "tcp", "10.77.0.2", 7000, 7009, 8000),
		port(nft4, "udp", "10.77.0.2", 9000, 9009, 9000),
		port(nft6, "tcp", "fd77::2", 7000, 7009, 8000),
		port(nft6, "tcp", "fd77::2", 9000, 9009, 9000),
		port(nft6, "tcp", "fd77::2", 65535, 65535, 65535),
		at(port(nft4, "tcp", "10.77.0.2", 8081, 8081, 80), "127.0.0.1"),
		at(port(nft4, "tcp", "10.77.0.2", 10000, 10100, 10000), "192.0.2.1"),
		at(port(nft4, "tcp", "10.77.0.2", 11000, 11002, 10000), "192.0.2.1"),
		at(port(nft6, "udp", "fd77::2", 8081, 8085, 80), "2001:db8::1"),
	)
}

func TestNftTwoWorlds(t *testing.T) {
	inNft(t, func(t *testing.T) { hosttest.TwoWorlds(t, nftEverything()...) })
}

// TestNftBatch makes everything in one batch: the rules are the same as one by one.
func TestNftBatch(t *testing.T) {
	inNft(t, func(t *testing.T) {
		ctx, facts := context.Background(), nftEverything()
		before := hosttest.Snapshot(t)
		for _, f := range facts {
			must(t, f.Make(ctx))
		}
		single := hosttest.Snapshot(t)
		must(t, nft4.BreakAll(ctx, reversed(facts)))
		equal(t, before, hosttest.Snapshot(t))
		must(t, nft4.MakeAll(ctx, facts))
		equal(t, single, hosttest.Snapshot(t))
		for i := len(facts) - 1; i >= 0; i-- {
			must(t, facts[i].Break(ctx))
		}
		must(t, nft4.BreakAll(ctx, reversed(facts)))
		equal(t, before, hosttest.Snapshot(t))
		must(t, nft4.MakeAll(ctx, facts))
		must(t, nft4.BreakAll(ctx, reversed(facts[1:]))) // all but the table
		must(t, facts[0].Break(ctx))
		equal(t, before, hosttest.Snapshot(t))
	})
}
