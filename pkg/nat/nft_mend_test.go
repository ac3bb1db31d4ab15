package nat_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
)

// TestNftMend spoils one fact after the other. Those that stand right stay as
// they are.
func TestNftMend(t *testing.T) {
	inNft(t, func(t *testing.T) {
		ctx, facts := context.Background(), nftEverything()
		spare := nat.Spare{On: nft4, Network: "lab", Gateway: netip.MustParseAddr("10.77.0.1"), Port: 53, Ports: true}
		facts = append(facts, spare)
		must(t, nft4.MakeAll(ctx, facts))
		table := nat.Hook{On: nft4, Role: nat.RoleTable}
		forward := nat.Hook{On: nft4, Role: nat.RoleForward}
		publish := nat.Hook{On: nft4, Role: nat.RolePublish}
		lab := nat.Forward{On: nft4, Network: "lab", Iface: "cnet-lab"}
		out := facts[len(nftHooks())+1]
		web := port(nft4, "tcp", "10.77.0.2", 8080, 8080, 80)
		span := port(nft4, "tcp", "10.77.0.2", 7000, 7009, 8000)
		for _, c := range []struct {
			fact  fact.Fact
			spoil string
		}{
			{table, "nft add table inet cnet '{ flags dormant; }'"},
			{forward, "nft flush chain inet cnet forward"},
			{forward, "nft flush chain inet cnet entry; nft add rule inet cnet entry goto closed"},
			{forward, "nft add rule inet cnet fresh ct status dnat return"},
			{forward, "nft add chain inet cnet forward '{ policy drop; }'"},
			{forward, "nft delete chain inet cnet forward || true"},
			{forward, "nft delete chain inet cnet forward; nft add chain inet cnet forward '{ type filter hook forward priority 7; }'"},
			{publish, "nft flush chain inet cnet publish4; nft add rule inet cnet publish4 tcp dport 1 accept"},
			{publish, "nft flush chain inet cnet prerouting; nft flush chain inet cnet publish4; nft flush chain inet cnet output; nft delete chain inet cnet publish4"},
			{lab, "nft delete element inet cnet to '{ ipv4 . \"cnet-lab\" }'"},
			{lab, "nft delete element inet cnet to '{ ipv4 . \"cnet-lab\" }'; nft add element inet cnet to '{ ipv4 . \"cnet-lab\" comment \"cnet lab\" : jump fresh }'"},
			{lab, "nft delete element inet cnet inside '{ ipv4 . \"cnet-lab\" . \"cnet-lab\" }'"},
			{out, "nft flush chain inet cnet masquerade4-lab"},
			{out, "nft delete element inet cnet masquerade4 '{ 10.77.0.0/24 }'; nft add element inet cnet masquerade4 '{ 10.77.0.0/24 : drop }'"},
			{web, "nft delete element inet cnet ports4 '{ tcp . 8080 }' || true; nft add element inet cnet ports4 '{ tcp . 8080 : 10.77.0.9 . 80 }'"},
			{spare, "nft delete element inet cnet spared4 '{ 10.77.0.1 . udp . 53 }'"},
			{span, "nft delete element inet cnet ports4 '{ tcp . 7003 }'"},
		} {
			before := hosttest.Snapshot(t)
			hosttest.TwoMends(t, c.fact, c.spoil)
			equal(t, sorted(before), sorted(hosttest.Snapshot(t))) // a chain made anew comes last
		}
		for _, f := range facts {
			if truth, err := f.Probe(ctx); err != nil || truth.State != fact.Holds {
				t.Errorf("%s: %v %v", f.Key(), truth, err)
			}
		}
	})
}

func sorted(text string) string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
