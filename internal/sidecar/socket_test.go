package sidecar

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/nat"
)

// TestRedirected has the kernel lead calls to the proxy, which asks it where they
// were to go, and whose mark the rule spares. When the rule spares it no more,
// each call comes back once.
func TestRedirected(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		const setup = `ip link set lo up
ip addr add 192.0.2.1/32 dev lo
ip addr add 2001:db8::1/128 dev lo nodad`
		hosttest.Sh(t, setup)
		p := New(io.Discard)
		p.Set(Config{Retries: 3, Timeout: 10 * time.Second})
		for _, at := range []string{"127.0.0.1:15001", "[::1]:15001"} {
			serveAt(t, at, func(l net.Listener) { _ = p.Serve(l) })
		}
		up := []string{"192.0.2.1:80", "[2001:db8::1]:80"}
		for _, at := range up {
			serveAt(t, at, func(l net.Listener) {
				_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr) }))
			})
		}
		redirect(t, fmt.Sprintf("-m mark ! --mark %#x", nat.OwnMark), fmt.Sprintf("meta mark != %#x", nat.OwnMark))
		for i, at := range up {
			if status, body := ask(t, request(t, http.MethodGet, "http://"+at, nil)); status != 200 || netip.MustParseAddrPort(body).Port() == 0 {
				t.Errorf("%s: %d, %q", at, status, body)
			}
			if s := p.Status(); s.Requests != uint64(i+1) || s.Connections != uint64(i+1) || s.Loops != 0 {
				t.Errorf("%s: %+v", at, s)
			}
		}
		for _, at := range []string{"127.0.0.1:15001", "[::1]:15001"} {
			if _, body := ask(t, request(t, http.MethodGet, "http://"+at, nil)); !strings.Contains(body, "2 requests") {
				t.Errorf("%s says of itself %q", at, body)
			}
		}
		redirect(t, "", "")
		for i, at := range up {
			if status, body := ask(t, request(t, http.MethodGet, "http://"+at, nil)); status != 502 {
				t.Errorf("%s, by a circle: %d, %q", at, status, body)
			}
			if s := p.Status(); s.Loops == 0 || s.Connections > 2+2*uint64(i+1) {
				t.Errorf("%s, by a circle: %+v", at, s)
			}
		}
	})
}

func serveAt(t *testing.T, at string, serve func(net.Listener)) {
	t.Helper()
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go serve(l)
}

// redirect has what goes to port 80 led to the proxy, but for some.
func redirect(t *testing.T, iptables, nft string) {
	t.Helper()
	hosttest.Sh(t, fmt.Sprintf(`if command -v nft >/dev/null; then
	nft -f - <<-'END'
	table inet trial
	delete table inet trial
	table inet trial { chain out { type nat hook output priority -100; tcp dport 80 %s redirect to :15001; }; }
	END
else
	for t in iptables ip6tables; do
		$t -t nat -F OUTPUT
		$t -t nat -A OUTPUT -p tcp --dport 80 %s -j REDIRECT --to-ports 15001
	done
fi`, nft, iptables))
}
