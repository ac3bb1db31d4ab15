package nat_test

import (
	"context"
	"net/netip"
	"testing"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
)

// TestServiceFlowsMove has clients of a service send numbers from one socket each,
// without a pause, while the service comes, drains a backend, loses it, and goes:
// by facts, and by the commands that they print.
func TestServiceFlowsMove(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		wire(t)
		hosttest.Sh(t, neighbours)
		hosttest.Sh(t, `
			ip route add 10.76.0.1 dev cnet-lab src 10.77.0.1
			ip -6 route add fd76::1 dev cnet-lab src fd77::1`)
		for _, on := range []nat.On{ip4, ip6, nft4, nft6} {
			for _, h := range serviceHooks(on) {
				if truth, err := h.Probe(context.Background()); err != nil || truth.State == fact.Absent {
					byFact(t, fact.Make, h)
				}
			}
		}
		answer(t, "web", 53)
		answer(t, "next", 53)
		for way, do := range map[string]func(*testing.T, fact.Verb, fact.Fact){"facts": byFact, "commands": byHand} {
			for _, on := range []nat.On{ip4, ip6, nft4, nft6} {
				do, on := do, on
				t.Run(on.Backend+"/"+way+map[bool]string{true: "/IPv6"}[on.IPv6], func(t *testing.T) { serviceFlows(t, on, do) })
			}
		}
	})
}

func serviceFlows(t *testing.T, on nat.On, do func(*testing.T, fact.Verb, fact.Fact)) {
	vip, host, to := "10.76.0.1", "203.0.113.2", "10.77.0.2"
	if on.IPv6 {
		vip, host, to = "fd76::1", "2001:db8::2", "fd77::2"
	}
	hostIP := netip.MustParseAddr(host)
	front := nat.Front{Service: "dns", VIP: netip.MustParseAddr(vip), Proto: "udp", Port: 5300}
	ports := []nat.HostPort{{Port: 53}, {IP: hostIP, Port: 54}}
	web := nat.Endpoint{On: on, Front: front, Container: "web", To: netip.MustParseAddr(to), ToPort: 53, Published: ports}
	next := web
	next.Container, next.To = "next", web.To.Next()
	given := func(to nat.Endpoint) nat.Balance {
		return nat.Balance{On: on, Front: front, Iface: "cnet-lab", Publish: ports, Shares: []nat.Share{{Container: to.Container, Weight: 1}}}
	}
	t.Cleanup(func() {
		for _, f := range []fact.Fact{given(next), next, given(web), web} {
			byFact(t, fact.Break, f)
		}
	})
	clients := []*caller{
		callOn(t, "outside", netip.AddrPortFrom(hostIP, 53).String()),
		callOn(t, "outside", netip.AddrPortFrom(hostIP, 54).String()),
		callOn(t, "next", netip.AddrPortFrom(front.VIP, 5300).String()),
		callOn(t, "", netip.AddrPortFrom(front.VIP, 5300).String()),
	}
	expect := func(when, want string, gone ...fact.Fact) {
		t.Helper()
		for _, c := range clients {
			c.expectSoon(when, want, gone...)
		}
	}
	expect("before", "")
	do(t, fact.Make, web)
	do(t, fact.Make, given(web))
	expect("there is one backend", "web")
	do(t, fact.Make, next)
	do(t, fact.Break, given(web))
	do(t, fact.Make, given(next))
	expect("it is given nothing more", "web")
	do(t, fact.Break, web)
	expect("it is gone", "next", web)
	do(t, fact.Break, given(next))
	do(t, fact.Break, next)
	expect("all are gone", "", next, web)
}
