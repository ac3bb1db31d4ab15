package nat_test

import (
	"context"
	"strings"
	"testing"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/nat"
)

func TestTwinIsFoundOnlyWithRules(t *testing.T) {
	each(t, func(t *testing.T) {
		other := "iptables-legacy"
		if strings.Contains(hosttest.Host(t, "iptables", "-V"), "legacy") {
			other = "iptables-nft"
		}
		expect := func(want string) {
			t.Helper()
			if got, err := nat.Twin(context.Background(), false); got != want || err != nil {
				t.Errorf("got %q, %v; want %q", got, err, want)
			}
		}
		expect("")
		hosttest.Sh(t, other+" -S >/dev/null")
		expect("")
		hosttest.Sh(t, other+" -A INPUT -j ACCEPT")
		expect(other)
	})
}

func TestForeignIsWhatCnetDidNotMake(t *testing.T) {
	each(t, func(t *testing.T) {
		expect := func(want string) {
			t.Helper()
			if got, err := nat.Foreign(context.Background(), false); got != want || err != nil {
				t.Errorf("got %q, %v; want %q", got, err, want)
			}
		}
		hosttest.Sh(t, "iptables -t nat -N CNET-POSTROUTING\niptables -t nat -A CNET-POSTROUTING -j MASQUERADE")
		expect("")
		hosttest.Sh(t, "iptables -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE")
		expect("-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE")
	})
}
