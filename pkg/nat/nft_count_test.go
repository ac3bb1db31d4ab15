package nat_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
)

// TestNftCounters calls published ports of the host's own addresses, and counts
// the calls of each.
func TestNftCounters(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		ctx := context.Background()
		hosttest.Sh(t, "ip link set lo up; ip addr add 192.0.2.1/32 dev lo")
		call := func(network, to string) {
			conn, err := net.Dial(network, to)
			if err != nil {
				return // refused: nobody listens
			}
			_, _ = conn.Write([]byte("hello"))
			conn.Close()
		}
		any, own := port(nft4, "tcp", "192.0.2.1", 8080, 8080, 80), at(port(nft4, "udp", "192.0.2.1", 53, 53, 54), "192.0.2.1")
		kept, shifted := port(nft4, "tcp", "192.0.2.1", 9000, 9009, 9000), port(nft4, "tcp", "192.0.2.1", 7000, 7009, 8000)
		six := port(nft6, "tcp", "2001:db8::1", 8080, 8080, 80)
		facts := append(nftHooks(), any, own, kept, shifted, six)
		must(t, nft4.MakeAll(ctx, facts))
		for i := 0; i < 2; i++ {
			call("tcp", "127.0.0.1:8080")
			call("tcp", "192.0.2.1:9005")
			call("tcp", fmt.Sprintf("192.0.2.1:%d", 7003+i))
		}
		call("udp", "192.0.2.1:53")
		call("udp", "127.0.0.1:53")
		counts, err := nat.Counters(ctx, facts)
		must(t, err)
		for f, want := range map[fact.Fact]uint64{any: 2, own: 1, kept: 2, shifted: 2, six: 0} {
			if n, ok := counts[f.Key()]; !ok || n.Packets != want || n.Packets > 0 == (n.Bytes == 0) {
				t.Errorf("%s: %v, want %d", f.Key(), n, want)
			}
		}
	})
}

// TestNftThousands publishes more than a socket takes at once, and 200 networks.
func TestNftThousands(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		ctx, end := nat.Keep(context.Background())
		defer end()
		all := nftHooks()
		for i := 0; i < 10000; i++ {
			all = append(all, port(nft4, "tcp", "10.77.0.2", uint16(1000+i), uint16(1000+i), 80))
		}
		for i := 0; i < 200; i++ {
			name, p := fmt.Sprintf("net%d", i), netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 78, byte(i), 0}), 24)
			all = append(all, nat.Forward{On: nft4, Network: name, Iface: "cnet-" + name},
				nat.Masquerade{On: nft4, Network: name, Subnet: p, Except: "cnet+"},
				nat.Hairpin{On: nft4, Network: name, Subnet: p, Iface: "cnet-" + name})
		}
		transactions := 0
		counting := fact.WithPoints(ctx, func(point string) error {
			transactions++
			return nil
		})
		must(t, nft4.MakeAll(counting, all))
		if transactions > 10 {
			t.Errorf("it took %d transactions", transactions)
		}
		for _, f := range all {
			if truth, err := f.Probe(ctx); err != nil || truth.State != fact.Holds {
				t.Fatalf("%s: %v, %v", f.Key(), truth, err)
			}
		}
		last := all[len(nftHooks())+9999]
		must(t, last.Break(ctx))
		must(t, last.Make(ctx))
		err := nft4.MakeAll(ctx, append([]fact.Fact{port(nft4, "udp", "10.77.0.2", 1, 1, 80)}, all...))
		if err == nil {
			t.Error("what is there was made")
		}
		must(t, nft4.BreakAll(ctx, reversed(all[1:])))
		if stray, err := nat.Stray(ctx, all[:1]); err != nil || len(stray) > 0 {
			t.Errorf("left behind: %v, %v", stray, err)
		}
	})
}
