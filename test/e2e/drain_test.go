package e2e

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/netns"
)

// TestOpenConnections has a TCP connection open to a published port of the
// container first while something happens. Where it stays, or ends at the
// caller's next packet, is what docs/conntrack.md says.
func TestOpenConnections(t *testing.T) {
	t.Parallel()
	const stays, reset, silent = "first", "reset", "silence"
	typed := func(lines ...[]string) func(*testing.T) {
		return func(t *testing.T) {
			for _, args := range lines {
				must(t, args...)
			}
		}
	}
	line := func(words ...string) []string { return words }
	shell := func(script string) func(*testing.T) {
		return func(t *testing.T) { hosttest.Sh(t, script) }
	}
	tests := []struct {
		name string
		from string // the caller; "host" is the host itself
		to   string
		do   func(*testing.T)
		want string
		now  string // who answers new connections; nobody if empty
	}{
		{"unpublish", "outside", "203.0.113.2:8080", typed(line("unpublish", "first", "8080:80")), stays, ""},
		{"unpublish IPv6", "outside", "[2001:db8::2]:8080", typed(line("unpublish", "first", "8080:80")), stays, ""},
		{"unpublish, called by the host", "host", "203.0.113.2:8080", typed(line("unpublish", "first", "8080:80")), stays, ""},
		{"unpublish, called by 127.0.0.1", "host", "127.0.0.1:8080", typed(line("publish", "first", "8081:80"), line("unpublish", "first", "8080:80")), stays, ""},
		{"unpublish the network's last, called by 127.0.0.1", "host", "127.0.0.1:8080", typed(line("unpublish", "first", "8080:80")), silent, ""},
		{"publish to another", "outside", "203.0.113.2:8080", typed(line("unpublish", "first", "8080:80"), line("publish", "second", "8080:80")), stays, "second"},
		{"delete", "outside", "203.0.113.2:8080", typed(line("delete", "first")), reset, ""},
		{"delete IPv6", "outside", "[2001:db8::2]:8080", typed(line("delete", "first")), reset, ""},
		{"delete, called by 127.0.0.1", "host", "127.0.0.1:8080", typed(line("delete", "first")), reset, ""},
		{"unpublish and delete", "outside", "203.0.113.2:8080", typed(line("unpublish", "first"), line("delete", "first")), reset, ""},
		{"delete and publish another", "outside", "203.0.113.2:8080", typed(line("delete", "first"), line("publish", "second", "8080:80")), reset, "second"},
		{"disconnect", "outside", "203.0.113.2:8080", typed(line("unpublish", "first"), line("disconnect", "first")), reset, ""},
		{"reset of everything", "outside", "203.0.113.2:8080", typed(line("reset")), reset, ""},
		{"delete another", "outside", "203.0.113.2:8080", typed(line("delete", "second")), stays, "first"},
		{"delete the first of a pod", "outside", "203.0.113.2:8080", typed(line("create", "side", "--share", "first"), line("delete", "first")), stays, "first"},
		{"delete the first of a pod IPv6", "outside", "[2001:db8::2]:8080", typed(line("create", "side", "--share", "first"), line("delete", "first")), stays, "first"},
		{"delete the first of a pod, called by 127.0.0.1", "host", "127.0.0.1:8080", typed(line("create", "side", "--share", "first"), line("delete", "first")), stays, "first"},
		{"delete a whole pod", "outside", "203.0.113.2:8080", typed(line("create", "side", "--share", "first"), line("delete", "first"), line("delete", "side")), reset, ""},
		{"create another", "outside", "203.0.113.2:8080", typed(line("create", "third", "--network", "lab", "--publish", "8081:80")), stays, "first"},
		{"publish another port", "outside", "203.0.113.2:8080", typed(line("publish", "first", "8081:80"), line("unpublish", "first", "8081:80")), stays, "first"},
		{"another network comes and goes", "outside", "203.0.113.2:8080", typed(line("network", "create", "two"), line("network", "delete", "two")), stays, "first"},
		{"repair of another cable", "outside", "203.0.113.2:8080", func(t *testing.T) {
			hosttest.Sh(t, "ip -n second link delete eth0")
			must(t, "repair")
		}, stays, "first"},
		{"repair of the port's rule", "outside", "203.0.113.2:8080", func(t *testing.T) {
			hosttest.Sh(t, "iptables -t nat -F CNET-PUBLISH")
			must(t, "repair")
		}, stays, "first"},
		{"by hand", "outside", "203.0.113.2:8080", shell("ip netns exec first ss -K state established sport = :80"), reset, "first"},
	}
	hosttest.Run(t, func(t *testing.T) {
		lan(t)
		for _, tt := range tests {
			tt := tt
			t.Run(tt.name, func(t *testing.T) {
				must(t, "network", "create", "lab", "--ipv6")
				must(t, "create", "first", "--network", "lab", "--publish", "8080:80")
				must(t, "create", "second", "--network", "lab")
				t.Cleanup(func() { must(t, "reset") })
				listenTCP(t, "first")
				listenTCP(t, "second")
				c := dialTCP(t, tt.from, tt.to)
				if got := c.ask(t); got != "first" {
					t.Fatalf("before: %s", got)
				}
				tt.do(t)
				if got := c.ask(t); got != tt.want {
					t.Errorf("the open connection: %s, want %s", got, tt.want)
				}
				if got := newTCP(t, tt.from, tt.to); got != tt.now {
					t.Errorf("a new connection: %q, want %q", got, tt.now)
				}
			})
		}
	})
}

// listenTCP answers each byte that comes to port 80 of a container with a line
// that holds the container's name.
func listenTCP(t *testing.T, name string) {
	t.Helper()
	serve80(t, name, func(c net.Conn) {
		for b := make([]byte, 1); ; {
			if _, err := c.Read(b); err != nil {
				return
			}
			_, _ = io.WriteString(c, name)
		}
	})
}

// tcp is an open connection.
type tcp struct{ net.Conn }

func dialTCP(t *testing.T, from, to string) tcp {
	t.Helper()
	c, err := dial(from, to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return tcp{c}
}

func dial(from, to string) (c net.Conn, err error) {
	where := ""
	if from != "host" {
		where = path(from)
	}
	err = netns.Do(where, func() (err error) {
		c, err = net.DialTimeout("tcp", to, 2*time.Second)
		return err
	})
	return c, err
}

// newTCP is who answers a new connection, or "" if it is refused.
func newTCP(t *testing.T, from, to string) string {
	t.Helper()
	c, err := dial(from, to)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return tcp{c}.ask(t)
}

// ask returns the name that is answered, "reset", "silence" or another error.
func (c tcp) ask(t *testing.T) string {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(1500 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64)
	_, err := c.Write([]byte("?"))
	n := 0
	if err == nil {
		n, err = c.Read(b)
	}
	switch {
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "silence"
	case err != nil:
		return err.Error()
	}
	return string(b[:n])
}
