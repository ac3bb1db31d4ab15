package sidecar

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestTransparent sends requests byte for byte, and compares with what a server
// hears and a client is answered without a proxy.
func TestTransparent(t *testing.T) {
	up := speaking(t, func(c *net.TCPConn) {
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		b, _ := io.ReadAll(r.Body)
		words := fmt.Sprintf("%s %s %s|%s|%s|%v|%v", r.Method, r.RequestURI, r.Host, b, r.UserAgent(), r.Header["X-Forwarded-For"], r.Trailer)
		fmt.Fprintf(c, "HTTP/1.1 299 Well\r\nX-Of: up\r\nConnection: close\r\n\r\n%s", words)
	})
	_, at, _ := behind(t, up, Config{Retries: 2})
	for _, x := range []struct{ name, words string }{
		{"a path", "GET /a%2Fb//c/../d?x;y=%zz& HTTP/1.1\r\nHost: web\r\n\r\n"},
		{"an empty query", "GET /? HTTP/1.1\r\nHost: web:81\r\nUser-Agent: me\r\n\r\n"},
		{"what others forwarded", "GET / HTTP/1.1\r\nHost: web\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n"},
		{"no path", "OPTIONS * HTTP/1.1\r\nHost: web\r\n\r\n"},
		{"HTTP/1.0", "GET / HTTP/1.0\r\nHost: web\r\n\r\n"},
		{"a body", "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 3\r\n\r\nabc"},
		{"a body in pieces", "PUT / HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"},
		{"pieces and a trailer", "POST / HTTP/1.1\r\nHost: web\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n"},
		{"a method of its own", "MKCALENDAR / HTTP/1.1\r\nHost: web\r\n\r\n"},
		{"for another proxy", "GET http://example.test/x HTTP/1.1\r\nHost: example.test\r\n\r\n"},
	} {
		answer := func(at string) (status int, of, body string) {
			c := dial(t, at)
			defer c.Close()
			say(t, c, x.words)
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatalf("%s: %v", x.name, err)
			}
			b, err := io.ReadAll(res.Body)
			if err != nil || res.Header["Content-Type"] != nil || res.Header["Date"] != nil {
				t.Errorf("%s: %v, %v", x.name, res.Header, err)
			}
			return res.StatusCode, res.Header.Get("X-Of"), string(b)
		}
		s1, o1, b1 := answer(up.String())
		s2, o2, b2 := answer(at)
		if s1 != s2 || o1 != o2 || b1 != b2 {
			t.Errorf("%s: by the proxy\n\t%d %s %s, without it\n\t%d %s %s", x.name, s2, o2, b2, s1, o1, b1)
		}
	}
}

// TestContinue sends a body only when it is asked for.
func TestContinue(t *testing.T) {
	up := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Refuse") != "" {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		_, _ = io.Copy(w, r.Body)
	})
	_, at, _ := behind(t, up, Config{})
	const head = "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 3\r\nExpect: 100-continue\r\n"
	c := dial(t, at)
	say(t, c, head+"\r\n")
	hears(t, c, "HTTP/1.1 100 Continue\r\n\r\n")
	say(t, c, "abc")
	hears(t, c, "HTTP/1.1 200 OK\r\n")
	c = dial(t, at)
	say(t, c, head+"X-Refuse: yes\r\n\r\n")
	hears(t, c, "HTTP/1.1 413 ")
}

// TestStream has what an upstream sends arrive when it is sent.
func TestStream(t *testing.T) {
	heard := make(chan bool)
	up := answering(t, func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < 3; i++ {
			fmt.Fprintf(w, "%d\n", i)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-heard:
			case <-r.Context().Done():
				return
			}
		}
	})
	_, at, _ := behind(t, up, Config{})
	res, err := caller().Get("http://" + at)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	for i := 0; i < 3; i++ {
		hears(t, res.Body, fmt.Sprintf("%d\n", i))
		heard <- true
	}
}

// TestRetries has one backend of three be dead, and one fail: no request does. Each
// try is one connection.
func TestRetries(t *testing.T) {
	var good, bad atomic.Int64
	well := answering(t, func(w http.ResponseWriter, r *http.Request) {
		good.Add(1)
		_, _ = io.Copy(w, r.Body)
	})
	ill := answering(t, func(w http.ResponseWriter, r *http.Request) {
		bad.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	gone := nobody(t)
	p, at, _ := behind(t, vip, Config{Retries: 2, Services: web(gone, ill, well)})
	for i := 0; i < 30; i++ {
		if status, body := ask(t, request(t, http.MethodPut, "http://"+at, strings.NewReader("abc"))); status != 200 || body != "abc" {
			t.Errorf("answered %d, %q", status, body)
		}
	}
	s := counted(t, p, 30)
	if good.Load() != 30 || s.Requests != 30 || s.Failed != 0 || s.Tries != 30+s.Retries || s.Connections != s.Tries {
		t.Errorf("%d went well: %+v", good.Load(), s)
	}
	if bad.Load() == 0 || s.Retries < 30 || s.Retries <= uint64(bad.Load()) {
		t.Errorf("the dead and the ill were not tried: %d, %+v", bad.Load(), s)
	}
	p.Set(Config{Retries: 2, Timeout: 10 * time.Second, Services: web(gone, ill)})
	if status, _ := ask(t, request(t, http.MethodPost, "http://"+at, strings.NewReader("abc"))); status != 503 {
		t.Errorf("a POST that the ill one saw: %d", status)
	}
	p.Set(Config{Timeout: 10 * time.Second, Services: web()})
	if status, body := ask(t, request(t, http.MethodGet, "http://"+at, nil)); status != 503 || !strings.Contains(body, "no backend") {
		t.Errorf("a service of nobody: %d, %q", status, body)
	}
}

// TestCircuit has every backend fail: soon none is called, until one is well.
func TestCircuit(t *testing.T) {
	var calls atomic.Int64
	var well atomic.Bool
	up := answering(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		if !well.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	c := Config{Retries: 3, Failures: 5, Open: time.Hour, Timeout: 10 * time.Second, Services: web(up)}
	p, at, _ := behind(t, vip, c)
	get := func() (int, string) { return ask(t, request(t, http.MethodGet, "http://"+at, nil)) }
	for i := 0; i < 50; i++ {
		get()
	}
	if calls.Load() != 5 || len(p.Status().Open) != 1 {
		t.Errorf("%d calls were made: %+v", calls.Load(), p.Status())
	}
	res, err := caller().Get("http://" + at)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 503 || res.Header.Get("Server") != "cnet-sidecar" {
		t.Errorf("while it is open: %d, %v", res.StatusCode, res.Header)
	}
	well.Store(true)
	c.Open = time.Millisecond
	c.Failures = 0
	p.Set(c) // which forgets
	if status, _ := get(); status != 200 {
		t.Errorf("when it is well: %d", status)
	}
}

// TestConfigured changes the configuration again and again while requests are under
// way, of which none is lost.
func TestConfigured(t *testing.T) {
	up := []netip.AddrPort{}
	for i := 0; i < 3; i++ {
		up = append(up, answering(t, func(w http.ResponseWriter, r *http.Request) {}))
	}
	p, at, _ := behind(t, vip, Config{Services: web(up...)})
	var done atomic.Bool
	var wg sync.WaitGroup
	for w := 0; w < 4; w++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for !done.Load() {
				r, err := http.NewRequest(http.MethodGet, "http://"+at, nil)
				if err == nil {
					var status int
					if status, _, err = try(r); err == nil && status != 200 {
						err = fmt.Errorf("status %d", status)
					}
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	for i := 0; i < 200; i++ {
		before := p.Status().Requests
		p.Set(Config{Timeout: 10 * time.Second, Services: web(up[i%3:]...)})
		until(t, "a request is served", func() bool { return t.Failed() || p.Status().Requests > before })
	}
	done.Store(true)
	wg.Wait()
	if s := p.Status(); s.Failed != 0 {
		t.Errorf("%+v", s)
	}
}

// TestUnreachable ends the calls of an upstream that nobody reaches with the tries.
func TestUnreachable(t *testing.T) {
	var calling atomic.Int64
	p, at, _ := behind(t, vip, Config{Retries: 1, Timeout: 50 * time.Millisecond}, func(p *Proxy) {
		p.Dialer = &net.Dialer{ControlContext: func(ctx context.Context, _, _ string, _ syscall.RawConn) error {
			calling.Add(1)
			defer calling.Add(-1)
			<-ctx.Done()
			return ctx.Err()
		}}
	})
	if status, _ := ask(t, request(t, http.MethodGet, "http://"+at, nil)); status != 504 {
		t.Errorf("status %d", status)
	}
	until(t, "nobody is called any more", func() bool { return calling.Load() == 0 })
	if s := p.Status(); s.Tries != 2 || s.Connections != 2 {
		t.Errorf("%+v", s)
	}
}

// TestPage asks the proxy itself.
func TestPage(t *testing.T) {
	p, at, _ := behind(t, netip.AddrPort{}, Config{}, func(p *Proxy) {
		p.Original = func(c *net.TCPConn) (netip.AddrPort, error) { return word(c.LocalAddr()), nil }
	})
	for path, want := range map[string]string{
		"/": "0 requests, 0 failed", "/metrics": "\ncnet_sidecar_loops_total 0\n", "/x": "/metrics",
	} {
		if _, body := ask(t, request(t, http.MethodGet, "http://"+at+path, nil)); !strings.Contains(body, want) {
			t.Errorf("%s says %q", path, body)
		}
	}
	if s := p.Status(); s.Requests != 0 || s.Connections != 0 {
		t.Errorf("it counts that: %+v", s)
	}
}
