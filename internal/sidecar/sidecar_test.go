package sidecar

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/internal/proxy"
)

func TestMain(m *testing.M) { hosttest.Main(m) }

// vip stands for an address that nobody is at.
var vip = netip.MustParseAddrPort("192.0.2.1:80")

// behind is a proxy that listens, to which a rule leads what is to go to an
// address: its own address, and what takes it away.
func behind(t *testing.T, to netip.AddrPort, c Config, change ...func(*Proxy)) (p *Proxy, at string, drain func(time.Duration)) {
	t.Helper()
	p = New(io.Discard)
	p.Dialer = &net.Dialer{}
	p.Original = func(*net.TCPConn) (netip.AddrPort, error) { return to, nil }
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	p.Set(c)
	for _, f := range change {
		f(p)
	}
	l := listen(t)
	go func() { _ = p.Serve(l) }()
	drain = func(limit time.Duration) {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		l.Close()
		p.Drain(ctx)
	}
	t.Cleanup(func() { drain(0) })
	return p, l.Addr().String(), drain
}

func listen(t *testing.T) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

// answering is a server of HTTP.
func answering(t *testing.T, h http.HandlerFunc) netip.AddrPort {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return netip.MustParseAddrPort(s.Listener.Addr().String())
}

// speaking is a server that has a func speak on each connection.
func speaking(t *testing.T, speak func(*net.TCPConn)) netip.AddrPort {
	t.Helper()
	l := listen(t)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				speak(c.(*net.TCPConn))
			}()
		}
	}()
	return word(l.Addr())
}

// nobody is an address at which calls are refused.
func nobody(t *testing.T) netip.AddrPort {
	t.Helper()
	l := listen(t)
	l.Close()
	return word(l.Addr())
}

// web is a service at the vip.
func web(at ...netip.AddrPort) []Service {
	s := Service{Name: "web", At: vip}
	for _, a := range at {
		s.Backends = append(s.Backends, proxy.Backend{Name: a.String(), At: a, Weight: 1})
	}
	return []Service{s}
}

// dial is a connection that ends, in the worst case, by a deadline.
func dial(t *testing.T, at string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c.(*net.TCPConn)
}

func say(t *testing.T, c net.Conn, words string) {
	t.Helper()
	if _, err := io.WriteString(c, words); err != nil {
		t.Fatal(err)
	}
}

// hears reads so many bytes as are expected.
func hears(t *testing.T, c io.Reader, want string) {
	t.Helper()
	b := make([]byte, len(want))
	if n, err := io.ReadFull(c, b); err != nil || string(b) != want {
		t.Fatalf("heard %q, %v; want %q", b[:n], err, want)
	}
}

// until polls for what happens by itself.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not come to be: " + what)
		}
	}
}

// counted is the status when so many requests have ended: an answer is heard before.
func counted(t *testing.T, p *Proxy, requests uint64) Status {
	t.Helper()
	until(t, "all requests are counted", func() bool { return p.Status().Requests >= requests })
	return p.Status()
}

// caller calls with a connection for each request.
func caller() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
}

// ask sends a request, and is answered.
func ask(t *testing.T, r *http.Request) (status int, body string) {
	t.Helper()
	status, body, err := try(r)
	if err != nil {
		t.Fatal(err)
	}
	return status, body
}

func try(r *http.Request) (status int, body string, err error) {
	res, err := caller().Do(r)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

func request(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// isReset reports whether a connection was cut off.
func isReset(err error) bool {
	var timeout net.Error
	return err != nil && !errors.Is(err, io.EOF) && !(errors.As(err, &timeout) && timeout.Timeout())
}
