package sysctl_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/sysctl"
)

func TestMain(m *testing.M) { hosttest.Main(m) }

const web = "/run/netns/web"

func TestTwoWorlds(t *testing.T) {
	const setup = "ip netns add web; touch /run/other; unshare --net=/run/other true; ip link add a.5 type veth peer name b;" +
		// what the kernel changes together with forwarding, as a hardened host may have it
		" sysctl -qw net.ipv4.conf.all.accept_redirects=0 net/ipv4/conf/a.5/forwarding=1 net/ipv6/conf/a.5/forwarding=1"
	for _, c := range []struct {
		name  string
		facts []fact.Fact
	}{
		{"host", []fact.Fact{sysctl.Setting{Name: "net.ipv4.ip_forward", Value: "1"}}},
		{"host, IPv6", []fact.Fact{sysctl.Setting{Name: "net.ipv6.conf.all.forwarding", Value: "1"}}},
		{"already so", []fact.Fact{sysctl.Setting{Name: "net.ipv4.ip_forward", Value: "0"}}},
		{"inside", []fact.Fact{sysctl.Setting{Netns: web, Name: "net.ipv4.conf.lo.route_localnet", Value: "1"}}},
		{"unnamed namespace", []fact.Fact{sysctl.Setting{Netns: "/run/other", Name: "net.ipv6.conf.all.forwarding", Value: "1"}}},
		{"link with a dot", []fact.Fact{sysctl.Setting{Name: "net/ipv4/conf/a.5/rp_filter", Value: "2"}}},
		{"link with a dot, dotted", []fact.Fact{sysctl.Setting{Name: "net.ipv4.conf.a/5.rp_filter", Value: "2"}}},
		{"two values", []fact.Fact{sysctl.Setting{Netns: web, Name: "net.ipv4.ip_local_port_range", Value: "20000 30000"}}},
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

func TestSetting(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		ctx := context.Background()
		forward := func() string { return strings.TrimSpace(hosttest.Host(t, "sysctl", "-n", "net.ipv4.ip_forward")) }
		probe := func(f fact.Fact, want fact.Truth) {
			t.Helper()
			if got, err := f.Probe(ctx); err != nil || got != want {
				t.Errorf("%s: %v %v, want %v", f.Key(), got, err, want)
			}
		}
		on := sysctl.Setting{Name: "net.ipv4.ip_forward", Value: "1", Found: "0"}
		probe(on, fact.Mendable("net.ipv4.ip_forward is 0, not 1"))
		hosttest.TwoMends(t, on, "sysctl -qw net.ipv4.ip_forward=0")
		probe(on, fact.True())

		// What was changed since is not ours to put back.
		on.Found, on.Value = "0", "2"
		if err := on.Break(ctx); err != nil || forward() != "1" {
			t.Errorf("break of a changed value: %v, now %s", err, forward())
		}

		none := sysctl.Setting{Name: "net.ipv4.conf.none.rp_filter", Value: "1", Found: "0"}
		probe(none, fact.True()) // a link of the host's own that has gone needs nothing
		if err := none.Make(ctx); err != nil {
			t.Errorf("make for a link that has gone: %v", err)
		}
		none.Of = []fact.Key{{Kind: "veth.pair", Name: "none"}} // one of ours has to be there
		probe(none, fact.False())
		if err := none.Break(ctx); err != nil {
			t.Errorf("break of what is gone: %v", err)
		}
		if err := none.Make(ctx); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("make of what is not there: %v", err)
		}
		hosttest.Host(t, "sysctl", "-qw", "net.ipv4.conf.default.rp_filter=2")
		if f, err := none.Remember(ctx); err != nil || f.(sysctl.Setting).Found != "2" {
			t.Errorf("remember what new links begin with: %v %v", f, err)
		}
		none.Name = "net.ipv4.none"
		if f, err := none.Remember(ctx); err != nil || f.(sysctl.Setting).Found != "" {
			t.Errorf("remember what is not there: %v %v", f, err)
		}
		none.Netns = "/run/netns/none"
		probe(none, fact.False())
		if err := none.Break(ctx); err != nil {
			t.Errorf("break in a namespace that is gone: %v", err)
		}
	})
}
