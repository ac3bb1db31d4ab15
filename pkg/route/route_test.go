package route_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/route"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { hosttest.Main(m) }

const web = "/run/netns/web"

// cable is one cable, its ends down.
const cable = "ip netns add web; ip link add web-eth0 type veth peer name eth0 netns web\n"

var (
	prefix = netip.MustParsePrefix
	addr   = netip.MustParseAddr

	hostUp = route.Up{Link: "web-eth0"}
	up     = route.Up{Netns: web, Link: "eth0"}
	quiet  = route.NoAddrGen{Netns: web, Link: "eth0"}
	addr4  = route.Address{Netns: web, Link: "eth0", Prefix: prefix("10.77.0.2/24")}
	addr6  = route.Address{Netns: web, Link: "eth0", Prefix: prefix("fd00:77::2/64")}
	gate4  = route.Route{Netns: web, Via: addr("10.77.0.1"), Link: "eth0"}
	gate6  = route.Route{Netns: web, Via: addr("fd00:77::1"), Link: "eth0"}
)

func TestTwoWorlds(t *testing.T) {
	for _, c := range []struct {
		name  string
		setup string
		facts []fact.Fact
	}{
		// lo keeps 127.0.0.1 once it has been up.
		{"lo up", "ip -a netns exec ip link set lo up; ip -a netns exec ip link set lo down; ip link set lo up; ip link set lo down", []fact.Fact{route.Up{Netns: web, Link: "lo"}, route.Up{Link: "lo"}}},
		{"already up", "ip link set web-eth0 up", []fact.Fact{hostUp}},
		{"quiet", "", []fact.Fact{quiet, up, route.NoAddrGen{Link: "web-eth0"}, hostUp}},
		{"noisy", "", []fact.Fact{up, hostUp}},
		{"addresses", "", []fact.Fact{quiet, up, hostUp, addr4, addr6}},
		{"addresses of a link that is down", "", []fact.Fact{quiet, addr4, addr6}},
		{"addresses on the host", "", []fact.Fact{
			route.Address{Link: "web-eth0", Prefix: prefix("10.77.0.1/32")},
			route.Address{Link: "web-eth0", Prefix: prefix("10.77.1.0/31")},
			route.Address{Link: "lo", Prefix: prefix("127.0.0.1/8")},
			route.Address{Link: "lo", Prefix: prefix("10.1.2.3/16")},
			route.Address{Link: "lo", Prefix: prefix("fd00::1/128")},
		}},
		{"default routes", "", []fact.Fact{quiet, up, hostUp, addr4, addr6, gate4, gate6}},
		{"default routes spelt out", "", []fact.Fact{quiet, up, hostUp, addr4, addr6,
			route.Route{Netns: web, Dst: prefix("0.0.0.0/0"), Link: "eth0"},
			route.Route{Netns: web, Dst: prefix("::/0"), Link: "eth0"},
		}},
		{"default routes with an MTU", "", []fact.Fact{quiet, up, hostUp, addr4, addr6, of1400(gate4), of1400(gate6)}},
		{"gateway alone", "", []fact.Fact{quiet, up, addr4, route.Route{Netns: web, Via: addr("10.77.0.1")}}},
		{"routes", "", []fact.Fact{quiet, up, hostUp, addr4, addr6,
			route.Route{Netns: web, Dst: prefix("10.77.9.1/32"), Link: "eth0", Scope: "link"},
			route.Route{Netns: web, Dst: prefix("10.77.10.7/24"), Via: addr("10.77.0.9"), Link: "eth0"},
			route.Route{Netns: web, Dst: prefix("fd00:99::/64"), Via: addr("fd00:77::9"), Link: "eth0"},
			route.Route{Netns: web, Dst: prefix("fd00:98::1/128"), Link: "eth0"},
			route.Route{Dst: prefix("10.77.9.2/32"), Link: "web-eth0", Scope: "link"},
			route.Up{Link: "lo"}, route.Route{Dst: prefix("10.76.0.1/32"), Link: "web-eth0", Src: addr("127.0.0.1"), MTU: 1500},
			route.Address{Link: "web-eth0", Prefix: prefix("fd00:79::1/64")},
			route.Route{Dst: prefix("fd00:76::1/128"), Link: "web-eth0", Src: addr("fd00:79::1"), MTU: 1500},
		}},
	} {
		c := c
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			hosttest.Run(t, func(t *testing.T) {
				hosttest.Sh(t, cable+c.setup)
				hosttest.TwoWorlds(t, c.facts...)
			})
		})
	}
}

func of1400(r route.Route) route.Route {
	r.MTU = 1400
	return r
}

func TestOccupied(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		ctx := context.Background()
		facts := []fact.Fact{quiet, up, hostUp, addr4, addr6, gate4, gate6}
		hosttest.Sh(t, cable)
		for _, f := range facts {
			if err := f.Make(ctx); err != nil {
				t.Fatal(err)
			}
		}
		before := hosttest.Snapshot(t)
		for _, f := range []fact.Fact{addr4, addr6, gate4, gate6, route.Route{Netns: web, Via: addr("10.77.0.9")}} {
			if err := f.Make(ctx); !errors.Is(err, unix.EEXIST) {
				t.Errorf("%s: make over another: %v", f.Key(), err)
			}
		}
		if diff := cmp.Diff(before, hosttest.Snapshot(t)); diff != "" {
			t.Errorf("a make that failed left something:\n%s", diff)
		}
	})
}

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		name, script string
		fact         fact.Fact
		want         fact.Truth
	}{
		{"down", "ip -n web link set eth0 down", up, fact.Mendable("web's eth0 is down")},
		{"deleted", "ip link del web-eth0", up, fact.False()},
		{"not quiet", "ip -n web link set eth0 addrgenmode eui64", quiet, fact.Mendable("addrgenmode of web's eth0 is not none")},
		{"quiet deleted", "ip link del web-eth0", quiet, fact.False()},
		{"address gone", "ip -n web addr flush dev eth0", addr4, fact.False()},
		{"address link gone", "ip link del web-eth0", addr4, fact.False()},
		{"address other length", "ip -n web addr flush dev eth0; ip -n web addr add 10.77.0.2/16 dev eth0", addr4, fact.Mendable("address is 10.77.0.2/16, not 10.77.0.2/24")},
		{"address for a time", "ip -n web addr change 10.77.0.2/24 dev eth0 valid_lft 900 preferred_lft 900", addr4, fact.Mendable("10.77.0.2/24 will end by itself")},
		{"address for a time, IPv6", "ip -n web addr change fd00:77::2/64 dev eth0 valid_lft 900 preferred_lft 900", addr6, fact.Mendable("fd00:77::2/64 will end by itself")},
		{"address longer too", "ip -n web addr add 10.77.0.2/16 dev eth0", addr4, fact.True()},
		{"route gone", "ip -n web route del default", gate4, fact.False()},
		{"route gone with the link down", "ip -n web link set eth0 down", gate4, fact.False()},
		{"route link gone", "ip link del web-eth0", gate6, fact.False()},
		{"other gateway", "ip -n web route replace default via 10.77.0.9", gate4, fact.Mendable("gateway for 0.0.0.0/0 is 10.77.0.9, not 10.77.0.1")},
		{"no gateway", "ip -n web route replace default dev eth0", gate4, fact.Mendable("gateway for 0.0.0.0/0 is none, not 10.77.0.1")},
		{"other gateway, IPv6", "ip -n web -6 route del default; ip -n web -6 route add default via fd00:77::9", gate6, fact.Mendable("gateway for ::/0 is fd00:77::9, not fd00:77::1")},
		{"other link", "ip -n web link add x type veth || true; ip -n web link set x up; ip -n web route replace default via 10.77.0.1 dev x onlink", gate4, fact.Mendable("route to 0.0.0.0/0 does not lead over eth0")},
		{"namespace gone", "ip netns del web", gate4, fact.False()},
		{"another MTU", "ip -n web route replace default via 10.77.0.1 dev eth0 mtu 600", gate4, fact.Mendable("MTU of the route to 0.0.0.0/0 is 600, not that of the link")},
		{"no MTU", "ip -n web route replace default via 10.77.0.1 dev eth0", of1400(gate4), fact.Mendable("MTU of the route to 0.0.0.0/0 is that of the link, not 1400")},
		{"no MTU, IPv6", "ip -n web -6 route del default; ip -n web -6 route add default via fd00:77::1 dev eth0", of1400(gate6), fact.Mendable("MTU of the route to ::/0 is that of the link, not 1400")},
	} {
		c := c
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			hosttest.Run(t, func(t *testing.T) {
				ctx := context.Background()
				hosttest.Sh(t, cable)
				for _, f := range []fact.Fact{quiet, up, hostUp, addr4, addr6, gate4, gate6} {
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

// Without IPv6 on the link there is nothing to be quiet about.
func TestNoAddrGenWithoutIPv6(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		ctx := context.Background()
		hosttest.Sh(t, cable+"ip -n web link set eth0 mtu 1000") // IPv6 needs 1280
		if err := quiet.Make(ctx); err != nil {
			t.Fatal(err)
		}
		if truth, err := quiet.Probe(ctx); err != nil || truth != fact.True() {
			t.Errorf("%v %v", truth, err)
		}
	})
}

func TestSay(t *testing.T) {
	for _, c := range []struct {
		fact fact.Fact
		want string
	}{
		{hostUp, "web-eth0 is up."},
		{up, "web's eth0 is up."},
		{addr4, "web's eth0 has address 10.77.0.2/24."},
		{gate4, "Packets for everywhere else leave web by gateway 10.77.0.1 over eth0."},
		{gate6, "IPv6 packets for everywhere else leave web by gateway fd00:77::1 over eth0."},
		{of1400(gate4), "Packets for everywhere else leave web by gateway 10.77.0.1 over eth0, none larger than 1400 bytes."},
		{route.Route{Dst: prefix("10.77.9.2/32"), Link: "web-eth0"}, "Packets for 10.77.9.2/32 leave over web-eth0."},
		{route.Route{Dst: prefix("10.76.0.1/32"), Link: "svc0", Src: addr("10.77.0.1"), MTU: 1500}, "Packets for 10.76.0.1/32 leave over svc0 with source address 10.77.0.1, none larger than 1500 bytes."},
	} {
		if got := c.fact.Say(); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}
