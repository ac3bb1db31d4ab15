package edge

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/cnetlab/cnet/internal/proxy"
)

// one is a configuration of one backend.
func one(t testing.TB, l Limits, h http.HandlerFunc) Config {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	b := proxy.Backend{Name: "a1", At: netip.MustParseAddrPort(s.Listener.Addr().String()), Weight: 1}
	return Config{Limits: l, Services: []Service{{"a", []proxy.Backend{b}}}, Routes: []Route{{To: []Target{{"a", 1}}}}}
}

// raw is what the edge answers to text that is sent as it is, in pieces.
func raw(t *testing.T, at string, text ...string) *bufio.Reader {
	t.Helper()
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	go func() {
		for _, piece := range text {
			if _, err := io.WriteString(c, piece); err != nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	}()
	return bufio.NewReader(c)
}

func priorKnowledge() *http.Client {
	return &http.Client{Transport: &http2.Transport{AllowHTTP: true, DialTLSContext: func(ctx context.Context, network, addr string, _ *tls.Config) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}}
}

// TestBlame sends what no backend is to blame for, more often than one is forgiven.
func TestBlame(t *testing.T) {
	short := limits
	short.Body, short.RequestTime, short.AnswerTime = 100<<10, 300*time.Millisecond, 400*time.Millisecond
	post := "POST / HTTP/1.1\r\nHost: a\r\n"
	for _, c := range []struct {
		name, want string
		sent       []string
	}{
		{"bad chunks", "400", []string{post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n"}},
		{"bad chunks to be kept", "400", []string{"PUT" + post[4:] + "Transfer-Encoding: chunked\r\n\r\nzz\r\n"}},
		{"too much", "413", []string{post + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("10000\r\n"+strings.Repeat("a", 0x10000)+"\r\n", 3)}},
		{"half", "408", []string{post + "Content-Length: 10\r\n\r\na"}},
		{"half to be kept", "408", []string{"PUT" + post[4:] + "Content-Length: 10\r\n\r\na"}},
		{"slower than a backend may be", "200", []string{post + "Content-Length: 8\r\n\r\n", "a", "b", "c", "d", "e", "f", "g", "h"}},
		{"a tunnel", "501", []string{"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"}},
	} {
		c := c
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := short
			if c.want == "200" {
				l.RequestTime = 10 * time.Second
			}
			e, at := serving(t, one(t, l, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }), false)
			for i := 0; i <= refusals; i++ {
				if line, err := raw(t, at, c.sent...).ReadString('\n'); !strings.HasPrefix(line, "HTTP/1.1 "+c.want) {
					t.Errorf("it is answered %q, %v, want %s", line, err, c.want)
				}
				if left := e.Status().Left; len(left) > 0 {
					t.Fatalf("%v is left alone", left)
				}
			}
		})
	}
}

// TestPreface sends half a preface of HTTP/2, and what would be a tunnel of it past
// the routes.
func TestPreface(t *testing.T) {
	short := limits
	short.HeaderTime = 100 * time.Millisecond
	_, at := serving(t, one(t, short, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "heard ", r.Header.Values("Upgrade"))
	}), false)
	if b, err := io.ReadAll(raw(t, at, "PRI * HTTP/2.0\r\n\r\nSM\r\n")); err != nil {
		t.Errorf("half a preface is waited for: %q, %v", b, err)
	}
	for _, h := range []string{
		"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
		"Connection: Upgrade\r\nUpgrade: websocket, H2C\r\n",
		"Connection: Upgrade\r\nUpgrade: a\r\nUpgrade: h2c\r\n",
	} {
		b, _ := io.ReadAll(raw(t, at, "GET / HTTP/1.1\r\nHost: a\r\n"+h+"\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
		if strings.Count(string(b), "heard []") != 2 {
			t.Errorf("%q is answered %q", h, b)
		}
	}
}

// TestQuiet has an answer pause for longer than a client may.
func TestQuiet(t *testing.T) {
	short := limits
	short.IdleTime = 100 * time.Millisecond
	_, at := serving(t, one(t, short, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "one ")
		_ = http.NewResponseController(w).Flush()
		time.Sleep(5 * short.IdleTime)
		fmt.Fprint(w, "two")
	}), false)
	for _, client := range []*http.Client{http.DefaultClient, priorKnowledge()} {
		res, err := client.Get("http://" + at)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		if string(b) != "one two" {
			t.Errorf("%s: %q, %v", res.Proto, b, err)
		}
	}
}

// TestDrain drains with a request under way, which ends before.
func TestDrain(t *testing.T) {
	for _, client := range []*http.Client{{Transport: &http.Transport{}}, priorKnowledge()} {
		began, end := make(chan bool), make(chan bool)
		e, at := serving(t, one(t, limits, func(http.ResponseWriter, *http.Request) { began <- true; <-end }), false)
		status, drained := make(chan string, 1), make(chan bool)
		go func() {
			res, err := client.Get("http://" + at)
			if err != nil {
				status <- err.Error()
				return
			}
			res.Body.Close()
			status <- res.Status
		}()
		<-began
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			e.Drain(ctx)
			close(drained)
		}()
		select {
		case <-drained:
			t.Error("a request under way was not waited for")
		case <-time.After(100 * time.Millisecond):
		}
		close(end)
		if got := <-status; got != "200 OK" {
			t.Errorf("the request under way ends with %q", got)
		}
		<-drained
	}
}

// TestDrainUpgraded drains until who speaks over an upgraded connection is done.
func TestDrainUpgraded(t *testing.T) {
	e, at := serving(t, one(t, limits, func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_, _ = io.Copy(conn, rw)
	}), false)
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	r := bufio.NewReader(c)
	if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(res, err)
	}
	drained := make(chan bool)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		e.Drain(ctx)
		close(drained)
	}()
	for i := 0; i < 20; i++ {
		fmt.Fprintln(c, "still here")
		if line, err := r.ReadString('\n'); line != "still here\n" {
			t.Fatalf("while it drains it answers %q, %v", line, err)
		}
	}
	select {
	case <-drained:
		t.Error("an upgraded connection was not waited for")
	case <-time.After(100 * time.Millisecond):
	}
	c.Close()
	<-drained
}
