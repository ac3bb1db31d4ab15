package veth_test

import (
	"context"
	"errors"
	"testing"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/cnetlab/cnet/pkg/veth"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { hosttest.Main(m) }

const web, db = "/run/netns/web", "/run/netns/db"

func full() veth.Pair {
	return veth.Pair{
		Name: "web-eth0", MAC: "0a:77:FF:00:00:02", MTU: 1400, Alias: "cnet container web's link",
		Peer: "eth0", PeerMAC: "0a:77:0a:4d:00:02", PeerNetns: web,
	}
}

func TestTwoWorlds(t *testing.T) {
	const setup = "ip netns add web; ip netns add db; touch /run/other; unshare --net=/run/other true"
	for _, c := range []struct {
		name  string
		facts []fact.Fact
	}{
		{"all fields", []fact.Fact{full()}},
		{"kernel's choice", []fact.Fact{veth.Pair{Name: "a", Peer: "b"}}},
		{"both on the host", []fact.Fact{veth.Pair{Name: "a", MTU: 9000, Peer: "b", PeerMAC: "0a:77:00:00:00:01"}}},
		{"between namespaces", []fact.Fact{veth.Pair{Name: "a", Netns: web, MTU: 1280, Alias: "x", Peer: "b", PeerNetns: db}}},
		{"both in one namespace", []fact.Fact{veth.Pair{Name: "a", Netns: web, Peer: "b", PeerNetns: web}}},
		{"to the host", []fact.Fact{veth.Pair{Name: "eth0", Netns: web, Peer: "web-eth0"}}},
		{"unnamed namespace", []fact.Fact{veth.Pair{Name: "a", Peer: "b", PeerNetns: "/run/other"}}},
		{"from an unnamed namespace", []fact.Fact{veth.Pair{Name: "a", Netns: "/run/other", Peer: "b", PeerNetns: web}}},
		{"many", []fact.Fact{full(), veth.Pair{Name: "db-eth0", Peer: "eth0", PeerNetns: db}}},
	} {
		c := c
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			hosttest.Run(t, func(t *testing.T) {
				hosttest.Sh(t, setup)
				hosttest.TwoWorlds(t, c.facts...)
			})
		})
	}
}

func TestOccupied(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		hosttest.Sh(t, `ip netns add web
			ip link add near type veth peer name far
			ip link add x type veth peer name eth0 netns web`)
		before := hosttest.Snapshot(t)
		for _, p := range []veth.Pair{
			{Name: "near", Peer: "eth1", PeerNetns: web},
			{Name: "fresh", Peer: "eth0", PeerNetns: web},
		} {
			if err := p.Make(context.Background()); !errors.Is(err, unix.EEXIST) {
				t.Errorf("%s: make over another: %v", p.Key(), err)
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
		want         fact.Truth
	}{
		{"as made", "true", fact.True()},
		{"deleted", "ip link del web-eth0", fact.False()},
		{"namespace deleted", "ip link del web-eth0; ip netns del web", fact.False()},
		{"near MTU", "ip link set web-eth0 mtu 1300", fact.Mendable("MTU of web-eth0 is 1300, not 1400; packets of another size may be lost")},
		{"far MTU", "ip -n web link set eth0 mtu 1300", fact.Mendable("MTU of eth0 is 1300, not 1400; packets of another size may be lost")},
		{"near MAC", "ip link set web-eth0 address 0a:00:00:00:00:09", fact.Mendable("MAC of web-eth0 is 0a:00:00:00:00:09, not 0a:77:FF:00:00:02; what is sent to it may not arrive")},
		{"far MAC", "ip -n web link set eth0 address 0a:00:00:00:00:09", fact.Mendable("MAC of eth0 is 0a:00:00:00:00:09, not 0a:77:0a:4d:00:02; what is sent to it may not arrive")},
		{"alias", "ip link set web-eth0 alias mine", fact.Other(`alias is "mine", not "cnet container web's link"`)},
		{"no alias", "ip link set web-eth0 alias ''", fact.Mendable(`web-eth0 has lost its alias "cnet container web's link"`)},
		{"moved", "ip -n web link set eth0 netns db", fact.Other("there is no web's eth0")},
		{"renamed", "ip -n web link set eth0 name eth9", fact.Other("there is no web's eth0")},
		{"another bridge", "ip link del web-eth0; ip link add name web-eth0 type bridge; ip -n web link add eth0 type bridge", fact.Other("web-eth0 is a bridge link, not a veth")},
		{"another cable", "ip link del web-eth0; ip link add name web-eth0 type veth peer x; ip -n web link add eth0 type veth peer y", fact.Other("web's eth0 is not the other end of web-eth0")},
	} {
		c := c
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			hosttest.Run(t, func(t *testing.T) {
				ctx := context.Background()
				hosttest.Sh(t, "ip netns add web; ip netns add db")
				if err := full().Make(ctx); err != nil {
					t.Fatal(err)
				}
				hosttest.Sh(t, c.script)
				if got, err := full().Probe(ctx); err != nil || got != c.want {
					t.Errorf("%v %v, want %v", got, err, c.want)
				}
				if c.want.InPlace {
					hosttest.TwoMends(t, full(), c.script)
				}
			})
		})
	}
}

func TestMakeErrors(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		bad := full()
		bad.MAC = "no"
		if err := bad.Make(context.Background()); err == nil {
			t.Error("a MAC address that is none was taken")
		}
		if err := full().Make(context.Background()); !netns.Gone(err) {
			t.Errorf("a namespace that is not there: %v", err)
		}
	})
}

func TestOwned(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		ctx := context.Background()
		hosttest.Sh(t, "ip netns add web; ip link add other type veth peer name far; ip link set other alias cnetwork")
		if err := full().Make(ctx); err != nil {
			t.Fatal(err)
		}
		owned, err := veth.Owned(ctx)
		if err != nil || len(owned) != 1 || owned[0].Key() != full().Key() {
			t.Fatalf("%v %v", owned, err)
		}
		if err := owned[0].Break(ctx); err != nil {
			t.Fatal(err)
		}
		if truth, err := full().Probe(ctx); err != nil || truth != fact.False() {
			t.Errorf("%v %v", truth, err)
		}
	})
}

func TestCommands(t *testing.T) {
	got := ""
	for _, v := range []fact.Verb{fact.Make, fact.Break, fact.Mend, fact.Show} {
		for _, c := range full().Commands(v) {
			got += c.String() + "\n"
		}
	}
	const want = `ip link add name web-eth0 address 0a:77:FF:00:00:02 mtu 1400 type veth peer name eth0 address 0a:77:0a:4d:00:02 mtu 1400 netns web
ip link set dev web-eth0 alias 'cnet container web'\''s link'
ip link del dev web-eth0
ip link set dev web-eth0 address 0a:77:FF:00:00:02 mtu 1400 alias 'cnet container web'\''s link'
ip -n web link set dev eth0 address 0a:77:0a:4d:00:02 mtu 1400
ip -d link show dev web-eth0
ip -n web -d link show dev eth0
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
