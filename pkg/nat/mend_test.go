package nat_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
)

// TestMend spoils one fact after the other. Those that stand right stay as they
// are, and so do the rules of others, but for the place of a jump.
func TestMend(t *testing.T) {
	each(t, func(t *testing.T) {
		ctx := context.Background()
		spare := nat.Spare{On: ip4, Network: "lab", Gateway: netip.MustParseAddr("10.77.0.1"), Port: 53, Ports: true}
		must(t, ip4.MakeAll(ctx, append(append(hooks(ip4), network(ip4, "lab", "10.77.0.0/24", "cnet-lab")...), spare)))
		forward := nat.Hook{On: ip4, Role: nat.RoleForward}
		lab := nat.Forward{On: ip4, Network: "lab", Iface: "cnet-lab"}
		for _, c := range []struct {
			fact  fact.Fact
			spoil string
		}{
			{forward, "iptables -F CNET-FORWARD"},
			{forward, "iptables -D CNET-FORWARD 1; iptables -A CNET-FORWARD -j CNET-GUARD"},
			{forward, "iptables -D FORWARD -j CNET-FORWARD -m comment --comment cnet || iptables -D FORWARD 1"},
			{forward, "iptables -D FORWARD -i eth9 -j DROP || true; iptables -I FORWARD 1 -i eth9 -j DROP"},
			{forward, "iptables -A FORWARD -m comment --comment cnet -j CNET-FORWARD"},
			{nat.Hook{On: ip4, Role: nat.RolePublish}, "iptables -t nat -D OUTPUT 1"},
			{nat.Hook{On: ip4, Role: nat.RoleLoopback}, "iptables -t raw -F PREROUTING"},
			{lab, "iptables -F CNET-GUARD"},
			{lab, "iptables -A CNET-ALLOW -i cnet-lab -m comment --comment 'cnet lab' -j ACCEPT"},
			{spare, "iptables -t nat -D CNET-PUBLISH 1"},
			{spare, "iptables -t nat -D CNET-PUBLISH 2"},
			{spare, "iptables -t nat -A CNET-PUBLISH -d 10.77.0.1 -p udp --dport 53 -m comment --comment 'cnet lab' -j RETURN"},
			{spare, "iptables -t nat -D CNET-PUBLISH -i eth9 -p udp -j DNAT --to 10.77.0.9 || true; iptables -t nat -I CNET-PUBLISH 2 -i eth9 -p udp -j DNAT --to 10.77.0.9"},
			{nat.Rule{On: ip4, Table: "filter", Chain: "FORWARD", Args: []string{"-i", "eth9", "-j", "DROP"}}, "iptables -A FORWARD -i eth9 -j DROP"},
		} {
			before := hosttest.Snapshot(t)
			hosttest.TwoMends(t, c.fact, c.spoil)
			if after := hosttest.Snapshot(t); !strings.Contains(c.spoil, "eth9") {
				equal(t, before, after)
			}
		}
		for _, f := range append(append(hooks(ip4), network(ip4, "lab", "10.77.0.0/24", "cnet-lab")...), spare) {
			if truth, err := f.Probe(ctx); err != nil || truth.State != fact.Holds {
				t.Errorf("%s: %v %v", f.Key(), truth, err)
			}
		}
	})
}

// TestStray finds what bears cnet's name and nobody wants, and nothing else.
func TestStray(t *testing.T) {
	each(t, func(t *testing.T) {
		ctx := context.Background()
		wanted := everything()
		must(t, ip4.MakeAll(ctx, wanted))
		before := hosttest.Snapshot(t)
		stray, err := nat.Stray(ctx, wanted)
		must(t, err)
		if len(stray) > 0 {
			t.Fatalf("what is wanted is stray: %v", stray)
		}
		hosttest.Sh(t, `
			iptables -A INPUT -s 192.0.2.1 -j DROP
			iptables -t nat -A CNET-PUBLISH -p tcp --dport 1 -j DNAT --to-destination 10.77.0.2
			iptables -t nat -A CNET-PUBLISH -p tcp --dport 1 -j DNAT --to-destination 10.77.0.2
			iptables -I CNET-FORWARD -j ACCEPT
			iptables -N CNET-OLD
			iptables -A CNET-OLD -j CNET-ALLOW
			iptables -A INPUT -s 192.0.2.0/24 -j CNET-OLD
			ip6tables -t nat -N CNET-OLD`)
		stray, err = nat.Stray(ctx, wanted)
		must(t, err)
		var said []string
		for _, f := range stray {
			said = append(said, f.Key().Name)
		}
		want := []string{
			"filter CNET-OLD",
			"filter CNET-FORWARD -j ACCEPT",
			"filter INPUT -s 192.0.2.0/24 -j CNET-OLD",
			"nat CNET-PUBLISH -p tcp -m tcp --dport 1 -j DNAT --to-destination 10.77.0.2",
			"nat CNET-PUBLISH -p tcp -m tcp --dport 1 -j DNAT --to-destination 10.77.0.2",
			"nat CNET-OLD (IPv6)",
		}
		equal(t, strings.Join(want, "\n"), strings.Join(said, "\n"))
		for i := len(stray) - 1; i >= 0; i-- {
			must(t, stray[i].Break(ctx))
		}
		hosttest.Sh(t, "iptables -D INPUT -s 192.0.2.1 -j DROP; ip6tables-save > /dev/null")
		if stray, err = nat.Stray(ctx, wanted); err != nil || len(stray) > 0 {
			t.Errorf("%v %v", stray, err)
		}
		equal(t, before, hosttest.Snapshot(t))
	})
}
