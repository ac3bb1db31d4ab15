package sockets

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cnetlab/cnet/internal/hosttest"
)

func TestMain(m *testing.M) { hosttest.Main(m) }

// TestWaiting holds that the kernel says over netlink what it says in /proc/net,
// and that only those who wait are found.
func TestWaiting(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		hosttest.Host(t, "ip", "link", "set", "lo", "up")
		stream := listen(t, "127.0.0.1:0")
		listen(t, "[::1]:0")
		listen(t, ":0")
		client, err := net.Dial("tcp", stream.Addr().String())
		must(t, err)
		defer client.Close()
		server, err := net.ListenPacket("udp4", "127.0.0.1:0")
		must(t, err)
		defer server.Close()
		caller, err := net.Dial("udp4", server.LocalAddr().String())
		must(t, err)
		defer caller.Close()

		want := map[string][]string{"tcp": {"127.0.0.1", "[::1]", "[::]"}, "udp": {"127.0.0.1"}, "sctp": nil}
		for proto, at := range want {
			found, err := Waiting(proto)
			must(t, err)
			if len(found) != len(at) {
				t.Errorf("%s: found %v, want one at each of %v", proto, found, at)
			}
			for _, ip := range at {
				if !strings.Contains(fmt.Sprint(found), ip+":") {
					t.Errorf("%s: nobody waits at %s: %v", proto, ip, found)
				}
			}
		}
		for _, proto := range []string{"tcp", "udp"} {
			for _, ipv6 := range []bool{false, true} {
				a, err := dump(proto, ipv6)
				must(t, err)
				b, err := table(proto, ipv6)
				must(t, err)
				if diff := cmp.Diff(texts(b), texts(a)); diff != "" {
					t.Errorf("%s, IPv6 %v: /proc/net and netlink differ (-proc +netlink):\n%s", proto, ipv6, diff)
				}
			}
		}
		list, err := Waiting("tcp")
		must(t, err)
		if by := list[0].Holder(); !strings.Contains(by, fmt.Sprintf("(pid %d)", os.Getpid())) {
			t.Errorf("the holder is %q, want this test", by)
		}
	})
}

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

func texts(list []Socket) map[string]bool {
	m := make(map[string]bool)
	for _, s := range list {
		m[fmt.Sprintf("%v %d", s.AddrPort, s.inode)] = true
	}
	return m
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
