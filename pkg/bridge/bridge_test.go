package bridge_test

import (
	"context"
	"errors"
	"testing"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/bridge"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { hosttest.Main(m) }

// cables are two loose ends on the host and one in the namespace web.
const cables = `ip netns add web
	ip link add name a type veth peer name a1
	ip link add name b type veth peer name b1
	ip -n web link add name c type veth peer name c1
	`

var lab = bridge.Bridge{Name: "cnet-lab", MAC: "0a:77:0A:4d:00:01", MTU: 1400, Alias: "cnet network lab"}

func TestTwoWorlds(t *testing.T) {
	const web = "/run/netns/web"
	for _, c := range []struct {
		name  string
		facts []fact.Fact
	}{
		{"bridge", []fact.Fact{lab}},
		{"bridge plain", []fact.Fact{bridge.Bridge{Name: "br0"}}},
		{"bridge inside", []fact.Fact{bridge.Bridge{Name: "br0", Netns: web, MTU: 9000, Alias: "x"}}},
		{"ports", []fact.Fact{lab, bridge.Port{Link: "a", Bridge: "cnet-lab"}, bridge.Port{Link: "b", Bridge: "cnet-lab"}}},
		{"hairpin", []fact.Fact{lab, bridge.Port{Link: "a", Bridge: "cnet-lab"}, bridge.Hairpin{Link: "a"}}},
		{"isolated", []fact.Fact{lab, bridge.Port{Link: "a", Bridge: "cnet-lab"}, bridge.Isolated{Link: "a"}, bridge.Hairpin{Link: "a"}}},
		{"filtered", []fact.Fact{lab, bridge.Filtered{Bridge: "cnet-lab"}}},
		{"filtered IPv6", []fact.Fact{lab, bridge.Filtered{Bridge: "cnet-lab", IPv6: true}}},
		{"all inside", []fact.Fact{
			bridge.Bridge{Name: "br0", Netns: web},
			bridge.Filtered{Bridge: "br0", Netns: web},
			bridge.Port{Link: "c", Bridge: "br0", Netns: web},
			bridge.Hairpin{Link: "c", Netns: web},
			bridge.Isolated{Link: "c", Netns: web},
		}},
	} {
		c := c
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			hosttest.Run(t, func(t *testing.T) {
				hosttest.Sh(t, cables)
				hosttest.TwoWorlds(t, c.facts...)
			})
		})
	}
}

func TestOccupied(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		hosttest.Sh(t, cables+"ip link add br0 type bridge; ip link add br1 type bridge; ip link set dev a master br0")
		before := hosttest.Snapshot(t)
		for _, f := range []fact.Fact{
			bridge.Bridge{Name: "br0", Alias: "ours"},
			bridge.Bridge{Name: "b"},
			bridge.Port{Link: "a", Bridge: "br1"},
		} {
			if err := f.Make(context.Background()); !errors.Is(err, unix.EEXIST) {
				t.Errorf("%s: make over another: %v", f.Key(), err)
			}
		}
		if diff := cmp.Diff(before, hosttest.Snapshot(t)); diff != "" {
			t.Errorf("a make that failed left something:\n%s", diff)
		}
	})
}

func TestProbe(t *testing.T) {
	port, hairpin := bridge.Port{Link: "a", Bridge: "cnet-lab"}, bridge.Hairpin{Link: "a"}
	isolated, filtered := bridge.Isolated{Link: "a"}, bridge.Filtered{Bridge: "cnet-lab", IPv6: true}
	for _, c := range []struct {
		name, script string
		fact         fact.Fact
		want         fact.Truth
	}{
		{"deleted", "ip link del cnet-lab", lab, fact.False()},
		{"no bridge", "ip link del cnet-lab; ip link add cnet-lab type veth", lab, fact.Other("cnet-lab is a veth link, not a bridge")},
		{"MAC", "ip link set cnet-lab address 0a:00:00:00:00:09", lab, fact.Mendable("MAC is 0a:00:00:00:00:09, not 0a:77:0A:4d:00:01; what is sent to it may not arrive")},
		{"MTU", "ip link set cnet-lab mtu 1300", lab, fact.Mendable("MTU is 1300, not 1400; packets of another size may be lost")},
		{"alias", "ip link set cnet-lab alias mine", lab, fact.Other(`alias is "mine", not "cnet network lab"`)},
		{"no alias", "ip link set cnet-lab alias ''", lab, fact.Mendable(`it has lost its alias "cnet network lab"`)},
		{"port out", "ip link set dev a nomaster", port, fact.False()},
		{"port deleted", "ip link del dev a", port, fact.False()},
		{"port moved", "ip link add br1 type bridge || true; ip link set dev a master br1", port, fact.Mendable("a is a port of another link than cnet-lab")},
		{"hairpin off", "bridge link set dev a hairpin off", hairpin, fact.Mendable("hairpin of a is off")},
		{"hairpin no port", "ip link set dev a nomaster", hairpin, fact.False()},
		{"hairpin deleted", "ip link del dev a", hairpin, fact.False()},
		{"isolated off", "bridge link set dev a isolated off", isolated, fact.Mendable("isolated of a is off")},
		{"filtered off", "ip link set cnet-lab type bridge nf_call_ip6tables 0", filtered, fact.Mendable("nf_call_ip6tables is 0, not 1")},
		{"filtered deleted", "ip link del cnet-lab", filtered, fact.False()},
		{"filtered no bridge", "ip link del cnet-lab; ip link add cnet-lab type veth", filtered, fact.Other("cnet-lab has no nf_call_iptables")},
	} {
		c := c
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			hosttest.Run(t, func(t *testing.T) {
				ctx := context.Background()
				hosttest.Sh(t, cables)
				for _, f := range []fact.Fact{lab, port, hairpin, isolated, filtered} {
					if err := f.Make(ctx); err != nil {
						t.Fatal(err)
					}
				}
				hosttest.Sh(t, c.script)
				if got, err := c.fact.Probe(ctx); err != nil || got != c.want {
					t.Errorf("%v %v, want %v", got, err, c.want)
				}
				if c.want.InPlace {
					hosttest.TwoMends(t, c.fact, c.script)
				}
				if err := c.fact.Break(ctx); err != nil {
					t.Errorf("break: %v", err)
				}
			})
		})
	}
}

// A port that somebody moved to another bridge stays there.
func TestBreakLeavesForeignPort(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		hosttest.Sh(t, cables+"ip link add br0 type bridge; ip link add br1 type bridge; ip link set dev a master br1")
		before := hosttest.Snapshot(t)
		if err := (bridge.Port{Link: "a", Bridge: "br0"}).Break(context.Background()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, hosttest.Snapshot(t)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestOwned(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		ctx := context.Background()
		hosttest.Sh(t, "ip link add br0 type bridge; ip link set br0 alias cnetwork")
		if err := lab.Make(ctx); err != nil {
			t.Fatal(err)
		}
		owned, err := bridge.Owned(ctx)
		if err != nil || len(owned) != 1 || owned[0].Key() != lab.Key() {
			t.Fatalf("%v %v", owned, err)
		}
	})
}
