package nat_test

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
)

// TestNftStray finds what somebody put into cnet's table, and nothing else.
func TestNftStray(t *testing.T) {
	inNft(t, func(t *testing.T) {
		ctx, wanted := context.Background(), nftEverything()
		must(t, nft4.MakeAll(ctx, wanted))
		before := hosttest.Snapshot(t)
		stray, err := nat.Stray(ctx, wanted)
		must(t, err)
		if len(stray) > 0 {
			t.Fatalf("what is wanted is stray: %v", stray)
		}
		const meddle = `
			nft add rule inet cnet publish4 tcp dport 1 accept
			nft insert rule inet cnet forward accept
			nft add chain inet cnet old
			nft add set inet cnet mine '{ type ipv4_addr; }'
			nft add rule inet cnet old ip saddr @mine drop
			nft add map inet cnet more '{ type ipv4_addr : verdict; }'
			nft add element inet cnet more '{ 192.0.2.1 : jump old }'
			nft add element inet cnet ports4 '{ tcp . 1 : 10.77.0.2 . 1 }'
			nft add element inet cnet ranges6 '{ 2001:db8::/33 . udp . 5-9 : fd77::9 }'
			nft add element inet cnet masquerade4 '{ 192.0.2.0/24 : jump old }'
			nft add element inet cnet masquerade4 '{ 192.0.3.1-192.0.3.2 : jump old }'
			nft add element inet cnet masquerade6 '{ ff00::/8 : jump old }'
			nft add element inet cnet to '{ ipv6 . "eth0" : jump old }'
			nft add element inet cnet loopback '{ ipv4 . "eth*" }'`
		meddled := ""
		for _, broken := range []string{"by fact", "by hand"} {
			hosttest.Sh(t, meddle)
			stray, err = nat.Stray(ctx, wanted)
			must(t, err)
			var said []string
			for _, f := range stray {
				said = append(said, f.Key().Name)
			}
			if meddled = strings.Join(said, "\n"); broken == "by fact" {
				must(t, nft4.BreakAll(ctx, reversed(stray)))
				must(t, nft4.BreakAll(ctx, reversed(stray)))
			} else {
				for _, f := range reversed(stray) {
					for _, c := range f.Commands(fact.Break) {
						hosttest.Sh(t, c.String())
					}
				}
			}
			equal(t, before, hosttest.Snapshot(t))
		}
		want := []string{
			"chain old", "set mine", "map more",
			"rule with handle # in chain forward", "rule with handle # in chain old", "rule with handle # in chain publish4",
			`element { ipv4 . "eth*" } of set loopback`,
			"element { 192.0.2.0/24 } of map masquerade4", "element { 192.0.3.1-192.0.3.2 } of map masquerade4",
			"element { ff00::/8 } of map masquerade6",
			"element { tcp . 1 } of map ports4", "element { 2001:db8::/33 . udp . 5-9 } of map ranges6",
			`element { ipv6 . "eth0" } of map to`,
		}
		equal(t, strings.Join(want, " (nftables)\n")+" (nftables)", numbers.ReplaceAllString(meddled, "handle #"))
		if owned, err := nat.Owned(ctx); err != nil || len(owned) != 1 || owned[0] != fact.Fact(nat.Hook{On: nft4, Role: nat.RoleTable}) {
			t.Errorf("owned: %v, %v", owned, err)
		}
		if stray, err := nat.Stray(ctx, nil); err != nil || len(stray) != 1 {
			t.Errorf("stray where nothing is wanted: %v, %v", stray, err)
		}
	})
}

// TestNftFailures makes what cannot be made: the error says what is in the way,
// and nothing is left.
func TestNftFailures(t *testing.T) {
	inNft(t, func(t *testing.T) {
		ctx := context.Background()
		web := port(nft4, "tcp", "10.77.0.2", 8080, 8080, 80)
		expect := func(what string, err, kind error, words string) {
			t.Helper()
			if !errors.Is(err, kind) || !strings.Contains(err.Error(), words) {
				t.Errorf("%s: %v, want %v of %q", what, err, kind, words)
			}
		}
		expect("no table", web.Make(ctx), fs.ErrNotExist, "element { tcp . 8080 } of map ports4")
		must(t, nft4.MakeAll(ctx, append(nftHooks(), web)))
		before := hosttest.Snapshot(t)
		var all []fact.Fact
		for i := 0; i < 3000; i++ {
			all = append(all, port(nft4, "tcp", "10.77.0.2", uint16(7000+i), uint16(7000+i), 80))
		}
		expect("one of many is there", nft4.MakeAll(ctx, all), fs.ErrExist, "element { tcp . 8080 } of map ports4")
		equal(t, before, hosttest.Snapshot(t))
		expect("the table is there", nat.Hook{On: nft4, Role: nat.RoleTable}.Make(ctx), fs.ErrExist, "table inet cnet")
		for _, f := range []fact.Fact{
			nat.Rule{On: nft4, Table: "nat", Chain: "x"}, nat.Loopback{On: nft6, Network: "lab", Iface: "cnet-lab"},
			nat.Forward{On: nft4, Network: "say \"no\"", Iface: "br0"}, nat.Masquerade{On: nft4, Network: "a b", Subnet: netip.MustParsePrefix("10.0.0.0/8")},
		} {
			if err := nft4.MakeAll(ctx, []fact.Fact{f}); err == nil {
				t.Errorf("%s was made", f.Key())
			}
		}
		all = append(all[:1000], all[1081:]...)
		must(t, nft4.MakeAll(ctx, all))
		must(t, web.Break(ctx))
		must(t, nft4.BreakAll(ctx, reversed(append(all, web)))) // partly gone
		must(t, web.Make(ctx))
		equal(t, before, hosttest.Snapshot(t))
		var none [2]unix.CapUserData
		must(t, unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]))
		expect("without permission", web.Break(ctx), syscall.EPERM, "")
	})
}

var numbers = regexp.MustCompile(`handle \d+`)
