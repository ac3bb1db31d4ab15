package veth_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/cnetlab/cnet/pkg/bridge"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/cnetlab/cnet/pkg/route"
	"github.com/cnetlab/cnet/pkg/veth"
)

// cables are facts of namespaces, each with a cable into a bridge and an address.
func cables(count int) []fact.Fact {
	facts := []fact.Fact{netns.Dir{Path: "/run/netns"}, bridge.Bridge{Name: "lab"}, route.Up{Link: "lab"}}
	for i := 0; i < count; i++ {
		facts = append(facts, netns.Named{Path: fmt.Sprintf("/run/netns/c%d", i)})
	}
	for i := 0; i < count; i++ {
		path, link := fmt.Sprintf("/run/netns/c%d", i), fmt.Sprintf("c%d-eth0", i)
		of := []fact.Key{veth.KeyOf("", link), netns.KeyOf(path)}
		facts = append(facts,
			veth.Pair{Name: link, MTU: 1500, Alias: "cnet bench", Peer: "eth0", PeerNetns: path},
			route.NoAddrGen{Link: link, Of: of},
			bridge.Port{Link: link, Bridge: "lab", Of: of},
			route.Up{Link: link, Of: of},
			route.NoAddrGen{Netns: path, Link: "eth0", Of: of},
			route.Up{Netns: path, Link: "eth0", Of: of})
	}
	return facts
}

func steps(b *testing.B, ctx context.Context, list []fact.Step) {
	b.Helper()
	if _, err := fact.Run(ctx, list, fact.Observer{}); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkCables(b *testing.B) {
	for _, count := range []int{1, 100} {
		up, down := fact.Diff(nil, cables(count)).Steps, fact.Diff(cables(count), nil).Steps
		for name, halves := range map[string][2][]fact.Step{"up": {up, down}, "down": {down, up}} {
			name, halves := name, halves
			b.Run(fmt.Sprintf("%d/%s", count, name), func(b *testing.B) {
				ctx, done := netns.Keep(context.Background())
				defer done()
				b.ReportAllocs()
				if name == "down" {
					steps(b, ctx, up)
					defer steps(b, ctx, down)
				}
				b.ResetTimer()
				for i := 0; i < b.N; i++ {
					steps(b, ctx, halves[0])
					b.StopTimer()
					steps(b, ctx, halves[1])
					b.StartTimer()
				}
			})
		}
	}
}
