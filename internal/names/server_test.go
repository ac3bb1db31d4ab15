package names

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/miekg/dns"
)

func TestMain(m *testing.M) { hosttest.Main(m) }

// Addresses of the loopback of a sandbox play the parts.
const (
	gateway  = "127.0.0.1"
	client   = "127.0.0.2" // web, which reaches the outside
	inmate   = "127.0.0.3" // safe, in an internal network of the same gateway
	host     = "127.0.0.9" // any other address
	upstream = "127.0.1.1"
	second   = "127.0.1.2"
)

func book(many int) Book {
	b := Book{
		Networks: []Network{{Name: "lab", Gateways: []netip.Addr{ip(gateway)}, Subnets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/24")}}},
		Stacks: []Stack{
			{Names: []string{"web"}, Out: true, Places: []Place{{Network: "lab", Addrs: []netip.Addr{ip(client)}}}},
			{Names: []string{"safe"}, Places: []Place{{Network: "lab", Addrs: []netip.Addr{ip(inmate)}}}},
		},
	}
	for i := 0; i < many; i++ {
		b.Stacks = append(b.Stacks, Stack{
			Names:  []string{fmt.Sprintf("many-%d", i)},
			Places: []Place{{Network: "lab", Aliases: []string{"many"}, Addrs: []netip.Addr{netip.AddrFrom4([4]byte{127, 7, byte(i >> 8), byte(i)})}}},
		})
	}
	return b
}

// serving starts a server with these upstream servers; its first is asked first.
func serving(t *testing.T, b Book, upstream ...string) *Server {
	t.Helper()
	hosttest.Host(t, "ip", "link", "set", "lo", "up")
	conf := filepath.Join(t.TempDir(), "resolv.conf")
	text := "nameserver " + gateway + "\n" // itself, which it does not ask
	for _, u := range upstream {
		text += "nameserver " + u + "\n"
	}
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	s := NewServer(conf)
	s.Set(b)
	for _, at := range b.Gateways() {
		at := at
		udp, tcp, err := open(context.Background(), at)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Serve(udp, tcp); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close(at) })
	}
	return s
}

// patient is longer than the server waits for others.
const patient = 10 * time.Second

// ask asks the server from an address.
func ask(t *testing.T, from, by string, q *dns.Msg) (*dns.Msg, error) {
	t.Helper()
	d := &net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(from)}}
	if by == "tcp" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	c := dns.Client{Net: by, Dialer: d, Timeout: patient}
	reply, _, err := c.Exchange(q, net.JoinHostPort(gateway, "53"))
	return reply, err
}

func mustAsk(t *testing.T, from, by string, q *dns.Msg) *dns.Msg {
	t.Helper()
	reply, err := ask(t, from, by, q)
	if err != nil {
		t.Fatalf("%s asks %v by %s: %v", from, q.Question, by, err)
	}
	return reply
}

func TestServer(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		s := serving(t, book(0))
		for _, by := range []string{"udp", "tcp"} {
			for name, want := range map[string]string{"web.cnet.": client, "none.cnet.": "NXDOMAIN", "example.org.": "NXDOMAIN"} {
				if got := words(mustAsk(t, client, by, query(name, "A"))); got != want {
					t.Errorf("%s by %s: %s, want %s", name, by, got, want)
				}
			}
		}
		for _, by := range []string{"udp", "tcp"} {
			if got := words(mustAsk(t, host, by, query("web.cnet.", "A"))); got != client {
				t.Error("the host is told", got)
			}
			if got := words(mustAsk(t, host, by, query("example.org.", "A"))); got != "REFUSED" {
				t.Error("the host, which has resolvers of its own, is told", got)
			}
		}
		at := b53(gateway)
		if err := s.Close(at); err != nil || len(s.At()) > 0 {
			t.Error(err, s.At())
		}
		if reply, err := ask(t, client, "udp", query("web.cnet.", "A")); err == nil {
			t.Error("a closed server tells", reply)
		}
	})
}

func b53(s string) netip.AddrPort { return netip.AddrPortFrom(ip(s), Port) }

// A reply is no longer than the client takes, and what is left out comes by TCP.
func TestTruncation(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		serving(t, book(500))
		for _, c := range []struct {
			by       string
			edns     uint16
			fits     int // addresses
			truncate bool
		}{
			{"udp", 0, (512 - 12 - 15) / 16, true},
			{"udp", 100, (512 - 12 - 15 - 11) / 16, true},
			{"udp", 1000, (1000 - 12 - 15 - 11) / 16, true},
			{"udp", 65535, (payload - 12 - 15 - 11) / 16, true},
			{"tcp", 0, 500, false},
		} {
			q := query("many.cnet.", "A")
			if c.edns > 0 {
				q.SetEdns0(c.edns, false)
			}
			reply := mustAsk(t, client, c.by, q)
			if n := len(reply.Answer); n > c.fits || n < c.fits-3 || reply.Truncated != c.truncate {
				t.Errorf("%s, %d bytes: %d addresses, truncated %v; %d fit", c.by, c.edns, n, reply.Truncated, c.fits)
			}
		}
	})
}

// answering is an upstream server that counts the questions for each name, and
// gives every name an address.
type answering struct {
	mu    sync.Mutex
	asked []string
}

func (u *answering) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	u.mu.Lock()
	u.asked = append(u.asked, q.Question[0].Name)
	u.mu.Unlock()
	name := strings.ToLower(q.Question[0].Name)
	reply := new(dns.Msg).SetReply(q)
	switch {
	case name == "forged.org." && w.RemoteAddr().Network() == "udp":
		wrong := reply.Copy()
		wrong.Id++
		_ = w.WriteMsg(wrong)
		wrong.Id--
		wrong.Question[0].Name = "other.org."
		_ = w.WriteMsg(wrong)
		_, _ = w.Write([]byte{byte(q.Id >> 8), byte(q.Id), 0x80, 0, 0, 1, 0, 9, 0, 0, 0, 0, 0xff})
	case name == "fails.org.":
		reply.Rcode = dns.RcodeServerFailure
		_ = w.WriteMsg(reply)
		return
	case name == "large.org." && w.RemoteAddr().Network() == "udp":
		reply.Truncated = true
		_ = w.WriteMsg(reply)
		return
	}
	reply.Answer = append(reply.Answer, address(q.Question[0].Name, 60, ip("192.0.2.1")))
	_ = w.WriteMsg(reply)
}

func (u *answering) names() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return strings.Join(u.asked, " ")
}

func upstreamAt(t *testing.T, at string) *answering {
	t.Helper()
	u := new(answering)
	udp, tcp, err := open(context.Background(), b53(at))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*dns.Server{{PacketConn: udp, Handler: u}, {Listener: tcp, Handler: u}} {
		s := s
		go func() { _ = s.ActivateAndServe() }()
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return u
}

func TestForward(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		upstreamAt(t, upstream)
		serving(t, book(0), upstream)
		for _, by := range []string{"udp", "tcp"} {
			for name, want := range map[string]string{"ExAmPlE.org.": "192.0.2.1", "forged.org.": "192.0.2.1", "fails.org.": "SERVFAIL"} {
				reply := mustAsk(t, client, by, query(name, "A"))
				if got := words(reply); got != want || reply.Question[0].Name != name {
					t.Errorf("%s by %s: %s about %s, want %s", name, by, got, reply.Question[0].Name, want)
				}
			}
		}
		if reply := mustAsk(t, client, "udp", query("large.org.", "A")); !reply.Truncated {
			t.Error("what is truncated comes as a whole", reply)
		}
		if got := words(mustAsk(t, client, "tcp", query("large.org.", "A"))); got != "192.0.2.1" {
			t.Error("large.org. by tcp:", got)
		}
		if got := words(mustAsk(t, inmate, "udp", query("example.org.", "A"))); got != "NXDOMAIN" {
			t.Error("what reaches no outside is told", got)
		}
	})
}

// What is of cnet's own, or might be, is asked of nobody else.
func TestNoLeak(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		u := upstreamAt(t, upstream)
		serving(t, book(0), upstream)
		for _, name := range []string{"none.cnet.", "a.b.c.cnet.", "none.", "none.lab.", "lab.", "9.0.0.127.in-addr.arpa."} {
			for _, kind := range []string{"A", "AAAA", "PTR", "MX", "TXT", "ANY", "SRV"} {
				mustAsk(t, client, "udp", query(name, kind))
			}
		}
		if mustAsk(t, client, "udp", query("last.org.", "A")); u.names() != "last.org." {
			t.Error("the upstream server was asked for", u.names())
		}
	})
}

// Where the first server is silent the next is asked, and stays the first.
func TestSilentUpstream(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		silent, _, err := open(context.Background(), b53(upstream))
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
		upstreamAt(t, second)
		s := serving(t, book(0), upstream, second)
		for i := 0; i < 3; i++ {
			if got := words(mustAsk(t, client, "udp", query("example.org.", "A"))); got != "192.0.2.1" {
				t.Fatal(got)
			}
		}
		if order := s.forward.inTurn([]netip.Addr{ip(upstream), ip(second)}); order[0] != ip(second) {
			t.Error("the silent one is asked first again")
		}
	})
}

// So many queries wait for upstream servers, and no more of one client.
func TestBudget(t *testing.T) {
	f := new(forwarder)
	a, b := asker{ip(gateway), ip(client)}, asker{ip(gateway), ip(inmate)}
	for i := 0; i < waitingEach; i++ {
		if !f.take(a) {
			t.Fatal(i)
		}
	}
	if f.take(a) || !f.take(b) {
		t.Error("one client has more than its share, or another has none")
	}
	f.give(a)
	if !f.take(a) {
		t.Error("what was given back is not there")
	}
}

// No query is lost, and none is answered wrongly, while names come and go.
func TestChanges(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		s := serving(t, book(0))
		var asked atomic.Int64
		stop, askers := make(chan struct{}), new(sync.WaitGroup)
		for i := 0; i < 4; i++ {
			by := []string{"udp", "tcp"}[i%2]
			askers.Add(1)
			go func() {
				defer askers.Done()
				for {
					select {
					case <-stop:
						return
					default:
					}
					if reply, err := ask(t, client, by, query("web.cnet.", "A")); err != nil || words(reply) != client {
						t.Errorf("%v %v", reply, err)
						return
					}
					asked.Add(1)
				}
			}()
		}
		for i := 0; (i < 1000 || asked.Load() < 1000) && !t.Failed(); i++ {
			s.Set(book(i % 50))
			name := fmt.Sprintf("many-%d.cnet.", i%50)
			if got := words(s.zone.Load().answer(s.zone.Load().views[asker{ip(gateway), ip(client)}], query(name, "A"))); got != "NXDOMAIN" {
				t.Fatalf("%s is %s, before it comes", name, got)
			}
		}
		close(stop)
		askers.Wait()
	})
}

// A client has so many connections, and its share is its own again when they end.
func TestConnections(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		serving(t, book(0))
		d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(client)}}
		for i := 0; i < each+8; i++ {
			c, err := d.Dial("tcp", net.JoinHostPort(gateway, "53"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
		}
		if reply, err := ask(t, client, "tcp", query("web.cnet.", "A")); err == nil {
			t.Error("one more connection is answered", reply)
		}
		if got := words(mustAsk(t, client, "udp", query("web.cnet.", "A"))); got != client {
			t.Error(got)
		}
		if got := words(mustAsk(t, inmate, "tcp", query("web.cnet.", "A"))); got != client {
			t.Error("another client:", got)
		}
	})
}
