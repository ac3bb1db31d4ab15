package probe

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/serve"
)

// TestLoadTakesAnswersWhole has answers that are longer than what a probe keeps,
// or that break off: none is taken for the next one, and none for a success.
func TestLoadTakesAnswersWhole(t *testing.T) {
	long := strings.Repeat("x", 3*bodyMax)
	server := func(answer string) uint16 {
		return raw(t, func(c *net.TCPConn) {
			for in := bufio.NewReader(c); ; {
				if _, err := http.ReadRequest(in); err != nil {
					return
				}
				if _, err := io.WriteString(c, answer); err != nil {
					return
				}
				if strings.HasPrefix(answer, "HTTP/1.1 200 OK\r\nTransfer") {
					return
				}
			}
		})
	}
	for _, c := range []struct {
		name, answer string
		want         Outcome
	}{
		{"long", fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(long), long), Outcome{Status: 200, Count: 9}},
		{"chunk without length", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n", Outcome{Status: 200, Errno: "EPROTO", Count: 9}},
		{"cut chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", Outcome{Status: 200, Errno: "EOF", Count: 9}},
	} {
		port := server(c.answer)
		for _, stays := range []bool{false, true} {
			l := LoadOptions{Requests: 9, Stays: stays}.Run(context.Background(), target(t, "http://127.0.0.1:%d", port))
			if len(l.Outcomes) != 1 || l.Outcomes[0] != c.want || l.OK() != (c.want.Errno == "") {
				t.Errorf("%s, stays %v: OK %v, %+v; want %+v", c.name, stays, l.OK(), l.Outcomes, c.want)
			}
		}
	}
}

// TestKeptConnectionIsLookedAt: what the server has closed, or said unasked, is
// no connection to ask over.
func TestKeptConnectionIsLookedAt(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	for name, after := range map[string]string{"closed": "", "said unasked": "HTTP/1.1 408 Request Timeout\r\n\r\n"} {
		port := raw(t, says(answer+after))
		c := client{target: target(t, "http://127.0.0.1:%d", port), stays: true}
		for i := 0; i < 3; i++ {
			if r := c.run(context.Background()); !r.OK {
				t.Errorf("%s: call %d: %s %s", name, i, r.Errno, r.Error)
			}
			for end := time.Now().Add(10 * time.Second); c.conn != nil && !spent(c.conn); time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%s: the connection counts as standing", name)
				}
			}
		}
		c.close()
	}
}

// TestLoadOfEachKind asks in each way that a target can be asked.
func TestLoadOfEachKind(t *testing.T) {
	noLeaks(t)
	web := start(t, &serve.Server{Name: "web", Addr: "127.0.0.1:0"})
	dns := start(t, &serve.Server{Name: "dns", Addr: "127.0.0.1:0", UDP: true})
	mute := start(t, &serve.Server{Addr: "127.0.0.1:0", UDP: true, FailRate: 100})
	broken := start(t, &serve.Server{Name: "web", Addr: "127.0.0.1:0", FailRate: 100})
	closed := closedPort(t)
	for _, c := range []struct {
		target Target
		want   Outcome
		ok     bool
	}{
		{target(t, "http://127.0.0.1:%d", web), Outcome{Server: "web", Status: 200}, true},
		{target(t, "http://127.0.0.1:%d", broken), Outcome{Server: "web", Status: 500}, false},
		{target(t, "127.0.0.1:%d", web), Outcome{Server: fmt.Sprintf("127.0.0.1:%d", web)}, true},
		{target(t, "127.0.0.1:%d", closed), Outcome{Errno: "ECONNREFUSED"}, false},
		{target(t, "udp://127.0.0.1:%d", dns), Outcome{Server: "dns"}, true},
		{target(t, "udp://127.0.0.1:%d", mute), Outcome{Errno: "ETIMEDOUT"}, false},
		{target(t, "udp://127.0.0.1:%d", closed), Outcome{Errno: "ECONNREFUSED"}, false},
	} {
		o := LoadOptions{Requests: 8, Workers: 4}
		if c.want.Errno == "ETIMEDOUT" {
			o.Timeout = 50 * time.Millisecond
		}
		c.want.Count = o.Requests
		l := o.Run(context.Background(), c.target)
		if len(l.Outcomes) != 1 || l.Outcomes[0] != c.want || l.OK() != c.ok {
			t.Errorf("%s: OK %v, %+v; want OK %v, %+v", c.target, l.OK(), l.Outcomes, c.ok, c.want)
		}
	}
}

// TestLoadEnds tells what was counted when it is stopped halfway; what was
// still being asked then counts for nothing.
func TestLoadEnds(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	n := 0
	port := raw(t, func(c *net.TCPConn) {
		if n++; n > 3 {
			stop()
			_, _ = io.Copy(io.Discard, c)
			return
		}
		says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")(c)
	})
	l := LoadOptions{Requests: 1000, Workers: 1}.Run(ctx, target(t, "http://127.0.0.1:%d", port))
	if l.Requests != 3 || len(l.Outcomes) != 1 || l.Outcomes[0] != (Outcome{Status: 200, Count: 3}) {
		t.Errorf("%d requests: %+v, want 3 that were answered", l.Requests, l.Outcomes)
	}
}

// TestLoadShowsNoLongName bounds what a server can make of the page.
func TestLoadShowsNoLongName(t *testing.T) {
	l := Load{Requests: 1, Outcomes: []Outcome{{Server: strings.Repeat("y", 3000), Status: 200, Count: 1}}}
	for _, line := range strings.Split(l.Text(), "\n") {
		if len(line) > 80 {
			t.Errorf("a line of %d columns", len(line))
		}
	}
}
