package world_test

import (
	"context"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/internal/probe"
	"github.com/cnetlab/cnet/internal/world"
	"github.com/cnetlab/cnet/pkg/netns"
)

func TestMain(m *testing.M) { hosttest.Main(m) }

func ask(t *testing.T, from, scheme string, to netip.Addr) probe.Result {
	t.Helper()
	target, err := probe.Parse(scheme + "://" + netip.AddrPortFrom(to, world.Port).String())
	if err != nil {
		t.Fatal(err)
	}
	var r probe.Result
	err = netns.Do(from, func() error {
		r = probe.Run(context.Background(), target, probe.Options{Timeout: 3 * time.Second})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestReach: who can talk to whom over both protocols and families, and whom the
// outside sees.
func TestReach(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		w, err := world.Build(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name, from string
			to         netip.Addr
			sees       netip.Addr
		}{
			{"host to outside", "", w.Outside, w.Host},
			{"host to internet", "", w.Internet, w.Host},
			{"host to outside, IPv6", "", w.Outside6, w.Host6},
			{"host to internet, IPv6", "", w.Internet6, w.Host6},
			{"neighbour to outside", world.Neighbour, w.Outside, w.Neighbour},
			{"neighbour to internet, IPv6", world.Neighbour, w.Internet6, w.Neighbour6},
			{"outside to itself", world.Outside, w.Internet, w.Internet},
		} {
			for _, scheme := range []string{"http", "udp"} {
				r := ask(t, c.from, scheme, c.to)
				if !r.OK || !strings.Contains(r.Body, "client   "+netip.AddrPortFrom(c.sees, 0).String()[:len(netip.AddrPortFrom(c.sees, 0).String())-1]) {
					t.Errorf("%s, %s: %+v", c.name, scheme, r)
				}
			}
		}
		log, err := os.ReadFile(world.Log)
		if err != nil || !strings.HasPrefix(string(log), w.Host.String()+":") || !strings.Contains(string(log), "  udp\n") {
			t.Errorf("log %q, %v", log, err)
		}
	})
}

// TestClosed: the host answers on no port, and the outside has no way to
// private addresses.
func TestClosed(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		w, err := world.Build(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, from := range []string{world.Outside, world.Neighbour} {
			for _, to := range []netip.Addr{w.Host, w.Host6} {
				if r := ask(t, from, "tcp", to); r.Errno != "ECONNREFUSED" {
					t.Errorf("%s to the host: %+v", from, r)
				}
			}
		}
		if r := ask(t, world.Outside, "tcp", netip.MustParseAddr("10.77.0.2")); r.Errno != "ENETUNREACH" {
			t.Errorf("outside to a private address: %+v", r)
		}
	})
}
