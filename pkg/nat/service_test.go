package nat_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
)

// serviceOn are the facts of a service with its endpoints, without the hooks.
func serviceOn(on nat.On, name, proto string, exact bool, affinity int, weights ...int) []fact.Fact {
	f := nat.Front{Service: name, VIP: netip.MustParseAddr("10.76.0.1"), Proto: proto, Port: 80}
	to := netip.MustParseAddr("10.77.0.2")
	if on.IPv6 {
		f.VIP, to = netip.MustParseAddr("fd76::1"), netip.MustParseAddr("fd77::2")
	}
	for range []byte(name) { // the longer, the further on
		f.VIP = f.VIP.Next()
	}
	b := nat.Balance{On: on, Front: f, Iface: "cnet-lab", Exact: exact, Affinity: affinity,
		Publish: []nat.HostPort{{Port: 8000 + uint16(len(name))}, {IP: to, Port: 8000 + uint16(len(name))}}}
	facts := []fact.Fact{nat.Refuse{On: on, Service: name, VIP: f.VIP}}
	for i, w := range weights {
		c := fmt.Sprintf("c%d", i+1)
		b.Shares = append(b.Shares, nat.Share{Container: c, Weight: w})
		facts = append(facts, nat.Endpoint{On: on, Front: f, Container: c, To: to, ToPort: 8080, Affinity: affinity})
		to = to.Next()
	}
	return append(facts, b)
}

func serviceHooks(on nat.On) (facts []fact.Fact) {
	for _, role := range []string{nat.RoleForward, nat.RolePublish, nat.RoleService} {
		for _, h := range nat.Hooks(on, role) {
			facts = append(facts, h)
		}
	}
	return fact.Unique(facts)
}

func TestServiceTwoWorlds(t *testing.T) {
	each(t, func(t *testing.T) { serviceTwoWorlds(t, ip4, ip6) })
}

func TestNftServiceTwoWorlds(t *testing.T) {
	inNft(t, func(t *testing.T) { serviceTwoWorlds(t, nft4, nft6) })
}

func serviceTwoWorlds(t *testing.T, ons ...nat.On) {
	for _, on := range ons {
		facts := serviceHooks(on)
		facts = append(facts, serviceOn(on, "a", "tcp", false, 0, 1)...)
		facts = append(facts, serviceOn(on, "of", "tcp", false, 0, 1, 1, 1, 1, 1)...)
		facts = append(facts, serviceOn(on, "dns", "udp", false, 0, 60, 30, 10)...)
		facts = append(facts, serviceOn(on, "turn", "tcp", true, 0, 1, 1, 1, 1, 1)...)
		facts = append(facts, serviceOn(on, "exact", "tcp", true, 0, 3, 7)...)
		facts = append(facts, serviceOn(on, "sticky", "tcp", false, 10800, 1)...)
		gateway := netip.MustParseAddr("10.77.0.1")
		if on.IPv6 {
			gateway = netip.MustParseAddr("fd77::1")
		}
		facts = append(facts, nat.Spare{On: on, Network: "lab", Gateway: gateway, Port: 53, Ports: true, Services: true})
		hosttest.TwoWorlds(t, facts...)
	}
}

// Weights, members and all else of a service change in one transaction.
func TestServiceExchange(t *testing.T) {
	each(t, func(t *testing.T) { serviceExchange(t, ip4, ip6) })
}

func TestNftServiceExchange(t *testing.T) {
	inNft(t, func(t *testing.T) { serviceExchange(t, nft4, nft6) })
}

func serviceExchange(t *testing.T, ons ...nat.On) {
	for _, on := range ons {
		ctx := context.Background()
		hooks := serviceHooks(on)
		run := func(p fact.Plan) {
			t.Helper()
			if _, err := fact.Run(ctx, p.Steps, fact.Observer{}); err != nil {
				t.Fatal(err)
			}
		}
		var now []fact.Fact
		for _, next := range [][]fact.Fact{
			serviceOn(on, "web", "tcp", false, 0, 1, 1),
			serviceOn(on, "web", "tcp", false, 0, 95, 5),
			serviceOn(on, "web", "tcp", true, 0, 6, 3, 1),
			serviceOn(on, "web", "tcp", true, 0, 1, 3, 6),
			serviceOn(on, "web", "tcp", false, 60, 1, 1),
			serviceOn(on, "web", "tcp", false, 0, 1),
		} {
			next = append(hooks[:len(hooks):len(hooks)], next...)
			run(fact.Diff(now, next))
			for _, f := range next {
				if truth, err := f.Probe(ctx); err != nil || truth.State != fact.Holds {
					t.Errorf("%s: %v, %v", f.Say(), truth, err)
				}
			}
			if stray, err := nat.Stray(ctx, next); err != nil || len(stray) > 0 {
				t.Errorf("stray: %v, %v", stray, err)
			}
			now = next
		}
		run(fact.Diff(now, nil))
	}
}

// What an endpoint was given is counted on while the shares change.
func TestServiceCounts(t *testing.T) {
	each(t, func(t *testing.T) { serviceCounts(t, ip4) })
}

func TestNftServiceCounts(t *testing.T) {
	inNft(t, func(t *testing.T) { serviceCounts(t, nft4) })
}

func serviceCounts(t *testing.T, on nat.On) {
	ctx := context.Background()
	hosttest.Sh(t, "ip link set lo up; ip route add 10.76.0.0/16 dev lo src 127.0.0.1; ip addr add 10.77.0.2/32 dev lo; ip addr add 10.77.0.3/32 dev lo")
	now := append(serviceHooks(on), serviceOn(on, "a", "tcp", true, 0, 3, 1)...)
	must(t, on.MakeAll(ctx, now))
	call := func() {
		for i := 0; i < 8; i++ {
			if conn, err := net.Dial("tcp", "10.76.0.2:80"); err == nil {
				conn.Close() // nobody listens: refused by the endpoint
			}
		}
	}
	given := func() (list []uint64) {
		counts, err := nat.Counters(ctx, now)
		must(t, err)
		for _, f := range now {
			if e, ok := f.(nat.Endpoint); ok {
				list = append(list, counts[e.Key()].Packets)
			}
		}
		return list
	}
	call()
	if got := given(); !slices.Equal(got, []uint64{6, 2}) {
		t.Errorf("of 8 calls, at 3 to 1: %v", got)
	}
	next := append(serviceHooks(on), serviceOn(on, "a", "tcp", true, 0, 1, 1)...)
	_, err := fact.Run(ctx, fact.Diff(now, next).Steps, fact.Observer{})
	must(t, err)
	now = next
	call()
	if got := given(); !slices.Equal(got, []uint64{10, 6}) {
		t.Errorf("of 8 more, at 1 to 1: %v", got)
	}
	next = slices.Clone(now)
	for i, f := range next {
		if e, ok := f.(nat.Endpoint); ok {
			e.Published = []nat.HostPort{{Port: 8080}}
			next[i] = e
		}
	}
	_, err = fact.Run(ctx, fact.Diff(now, next).Steps, fact.Observer{})
	must(t, err)
	if got := given(); !slices.Equal(got, []uint64{10, 6}) {
		t.Errorf("once published: %v", got)
	}
}
