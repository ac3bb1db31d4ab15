package edge

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/cnetlab/cnet/internal/proxy"
)

var limits = Limits{
	Header: 8 << 10, Body: 1 << 20, Connections: 1000,
	HeaderTime: time.Second, RequestTime: 2 * time.Second, AnswerTime: 2 * time.Second, IdleTime: 2 * time.Second,
}

// answering is a backend that answers its name, and counts.
func answering(t *testing.T, name string, n *atomic.Int64) proxy.Backend {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s", name, r.Host, r.Header.Get("X-Forwarded-For"), b)
	}))
	t.Cleanup(s.Close)
	return proxy.Backend{Name: name, At: netip.MustParseAddrPort(s.Listener.Addr().String()), Weight: 1}
}

// dead is a backend that nobody is behind.
func dead(t *testing.T) proxy.Backend {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return proxy.Backend{Name: "dead", At: netip.MustParseAddrPort(l.Addr().String()), Weight: 1}
}

// serving is an edge that listens, and its address.
func serving(t testing.TB, c Config, withTLS bool) (e *Edge, at string) {
	t.Helper()
	if c.Limits == (Limits{}) {
		c.Limits = limits
	}
	e = New(io.Discard)
	if err := e.Set(c); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = e.Serve(l, withTLS) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		e.Drain(ctx)
	})
	return e, l.Addr().String()
}

func ask(t *testing.T, c *http.Client, at, host string, change ...func(*http.Request)) (status int, body string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+at+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	for _, f := range change {
		f(r)
	}
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// TestLands sends requests with weights, a header, a cookie, sticky clients and a
// mirror, of which exactly as many land where they should. CNET_LONG=1: 50,000.
func TestLands(t *testing.T) {
	requests := 5000
	if os.Getenv("CNET_LONG") != "" {
		requests = 50000
	}
	var one, two, three, shadow atomic.Int64
	c := Config{
		Services: []Service{
			{"a", []proxy.Backend{answering(t, "a1", &one), answering(t, "a2", &two)}},
			{"b", []proxy.Backend{answering(t, "b1", &three)}},
			{"shadow", []proxy.Backend{answering(t, "s1", &shadow)}},
		},
		Routes: []Route{{
			Host: "shop.test", To: []Target{{"a", 95}, {"b", 5}}, Sticky: "shop", Mirror: "shadow", Percent: 10,
			Rules: []Rule{{Header: "X-Canary", Value: "always", Service: "b"}, {Cookie: "canary", Value: "always", Service: "b"}},
		}},
	}
	e, at := serving(t, c, false)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	send := func(n int, change ...func(*http.Request)) {
		var wg sync.WaitGroup
		for w := 0; w < 10; w++ {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := 0; i < n/10; i++ {
					if status, _ := ask(t, client, at, "shop.test", change...); status != 200 {
						t.Errorf("status %d", status)
					}
				}
			}()
		}
		wg.Wait()
	}
	part := requests / 5
	send(2 * part)
	if a, b, d := one.Load(), two.Load(), three.Load(); a+b != int64(2*part*95/100) || a-b > 1 || b-a > 1 || d != int64(2*part*5/100) {
		t.Errorf("of %d requests at 95:5 a1 got %d, a2 %d, b1 %d", 2*part, a, b, d)
	}
	before := three.Load()
	send(part, func(r *http.Request) { r.Header.Set("X-Canary", "always") })
	send(part, func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "canary", Value: "always"}) })
	if got := three.Load() - before; got != int64(2*part) {
		t.Errorf("of %d requests with a header or a cookie b got %d", 2*part, got)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	stuck := &http.Client{Jar: jar, Transport: client.Transport}
	_, first := ask(t, stuck, at, "shop.test")
	for i := 1; i < part; i++ {
		if _, body := ask(t, stuck, at, "shop.test"); body != first {
			t.Fatalf("a sticky client was led to %q, then to %q", first, body)
		}
	}
	for end := time.Now().Add(10 * time.Second); shadow.Load() < int64(requests/10) && time.Now().Before(end); time.Sleep(time.Millisecond) {
		continue // nobody waits for copies, but this test
	}
	if s := e.Status(); shadow.Load() != int64(requests/10) || s.Mirror.Dropped+s.Mirror.Failed > 0 {
		t.Errorf("of %d requests %d were mirrored: %+v", requests, shadow.Load(), s.Mirror)
	}
	sum := uint64(0)
	for _, sh := range e.Status().Shares {
		sum += sh.Requests
	}
	if sum != uint64(requests) {
		t.Errorf("of %d requests %d were counted", requests, sum)
	}
}

// TestCounts counts a service that is also the mirror, and requests for which there
// is nobody.
func TestCounts(t *testing.T) {
	var one, two atomic.Int64
	e, at := serving(t, Config{
		Services: []Service{{"a", []proxy.Backend{answering(t, "a1", &one)}}, {"b", []proxy.Backend{answering(t, "b1", &two)}}, {"none", nil}},
		Routes: []Route{
			{Host: "both.test", To: []Target{{"a", 1}, {"b", 1}}, Mirror: "b", Percent: 50},
			{Host: "none.test", To: []Target{{"none", 1}}},
		},
	}, false)
	for i := 0; i < 4; i++ {
		ask(t, http.DefaultClient, at, "both.test")
		if status, _ := ask(t, http.DefaultClient, at, "none.test"); status != 503 {
			t.Errorf("where there is nobody the status is %d", status)
		}
	}
	want := []Share{
		{Route: "both.test", Service: "a", Backend: "a1", Requests: 2, Classes: [6]uint64{2: 2}},
		{Route: "both.test", Service: "b", Backend: "b1", Requests: 2, Classes: [6]uint64{2: 2}},
		{Route: "none.test", Requests: 4, Classes: [6]uint64{5: 4}},
	}
	if got := e.Status().Shares; !slices.Equal(got, want) {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

// TestRoutes finds routes by host and path.
func TestRoutes(t *testing.T) {
	var routes []*route
	for _, name := range []string{"*/", "shop.test/", "shop.test/cart", "shop.test/cart/big", "*.shop.test/", "*.b.shop.test/", "*/only"} {
		host, path, _ := strings.Cut(name, "/")
		r := Route{Host: strings.TrimSuffix(host, "*"), Path: strings.TrimSuffix("/"+path, "/")}
		if host == "*" {
			r.Host = ""
		} else {
			r.Host = host
		}
		routes = append(routes, &route{Route: r})
	}
	table := newTable(routes)
	for _, c := range []struct{ host, path, want string }{
		{"shop.test", "/", "shop.test"}, {"SHOP.test.", "/x", "shop.test"}, {"shop.test:8080", "/cart", "shop.test/cart"},
		{"shop.test", "/cart/", "shop.test/cart"}, {"shop.test", "/cart/../x", "shop.test"}, {"shop.test", "//cart/./big", "shop.test/cart/big"}, {"shop.test", "/cartoon", "shop.test"}, {"shop.test", "/cart/big/1", "shop.test/cart/big"},
		{"a.shop.test", "/", "*.shop.test"}, {"a.b.shop.test", "/", "*.b.shop.test"}, {"b.shop.test", "/", "*.shop.test"},
		{"else.test", "/", "*"}, {"else.test", "/only/x", "*/only"}, {"[::1]:80", "/", "*"}, {"", "/", "*"},
	} {
		r := table.find(&http.Request{Host: c.host, URL: &url.URL{Path: c.path}})
		if r == nil || r.name() != c.want {
			t.Errorf("%s%s is led by %v, want %s", c.host, c.path, r, c.want)
		}
	}
}

// TestFailover has backends die: others of the service are asked, then the failover.
func TestFailover(t *testing.T) {
	var n atomic.Int64
	c := Config{
		Services: []Service{
			{"a", []proxy.Backend{dead(t), answering(t, "a1", &n)}},
			{"gone", []proxy.Backend{dead(t)}}, {"none", nil}, {"spare", []proxy.Backend{answering(t, "spare", &n)}},
		},
		Routes: []Route{
			{Host: "a", To: []Target{{"a", 1}}}, {Host: "gone", To: []Target{{"gone", 1}}}, {Host: "none", To: []Target{{"none", 1}}},
			{Host: "saved", To: []Target{{"gone", 1}}, Failover: "spare"}, {Host: "empty", To: []Target{{"none", 1}}, Failover: "spare"},
		},
	}
	e, at := serving(t, c, false)
	for i := 0; i < 20; i++ {
		for _, method := range []string{"GET", "POST"} { // who was not reached has seen nothing
			for host, want := range map[string]string{"a": "a1", "saved": "spare", "empty": "spare"} {
				status, body := ask(t, http.DefaultClient, at, host, func(r *http.Request) {
					r.Method, r.Body = method, io.NopCloser(strings.NewReader("hello"))
				})
				if status != 200 || !strings.HasPrefix(body, want) || !strings.HasSuffix(body, "hello") {
					t.Errorf("%s %s: %d %q", method, host, status, body)
				}
			}
		}
	}
	for host, want := range map[string]int{"gone": 503, "none": 503, "else": 404} {
		if status, _ := ask(t, http.DefaultClient, at, host); status != want && (host != "gone" || status != 502) {
			t.Errorf("%s: %d, want %d", host, status, want)
		}
	}
	if left := e.Status().Left; len(left) == 0 {
		t.Error("nobody is left alone")
	}
}

// TestChanges changes the routes 200 times under load: no request is lost, and each
// is answered by one that was to answer at that time.
func TestChanges(t *testing.T) {
	var n atomic.Int64
	a, b := answering(t, "a", &n), answering(t, "b", &n)
	config := func(i int) Config {
		list := []proxy.Backend{a, b}
		return Config{
			Limits: limits, Services: []Service{{"web", list[i%2 : i%2+1]}, {"other", list}},
			Routes: []Route{{Host: "shop.test", To: []Target{{"web", 1 + i}, {"other", 200 - i}}}},
		}
	}
	e, at := serving(t, config(0), false)
	var done atomic.Bool
	var wg sync.WaitGroup
	var asked atomic.Int64
	for w := 0; w < 4; w++ {
		wg.Add(1)
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: w%2 == 0}}
		go func() {
			defer wg.Done()
			for !done.Load() {
				asked.Add(1)
				res, err := client.Get("http://" + at + "/")
				if err == nil && res.StatusCode != 404 { // of another host
					err = errors.New(res.Status)
				}
				if err == nil {
					res.Body.Close()
				} else {
					t.Error(err)
				}
				if status, _ := ask(t, client, at, "shop.test"); status != 200 {
					t.Errorf("status %d", status)
				}
			}
		}()
	}
	for i := 1; i <= 200; i++ {
		if err := e.Set(config(i)); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Millisecond) // so that requests come in between
	}
	if err := e.Set(Config{Routes: []Route{{To: []Target{{"nobody", 1}}}}}); err == nil {
		t.Error("a route to nobody was taken")
	}
	done.Store(true)
	wg.Wait()
	t.Log(asked.Load(), "asked")
}

// TestBounds attacks the edge: each attack ends in time, and others are answered meanwhile.
func TestBounds(t *testing.T) {
	var n atomic.Int64
	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(hang.Close)
	large := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := make([]byte, 1<<20)
		for i := 0; i < 64 && r.Context().Err() == nil; i++ {
			_, _ = w.Write(b)
		}
	}))
	t.Cleanup(large.Close)
	backend := func(name string, s *httptest.Server) Service {
		return Service{name, []proxy.Backend{{Name: name, At: netip.MustParseAddrPort(s.Listener.Addr().String()), Weight: 1}}}
	}
	short := limits
	short.HeaderTime, short.RequestTime, short.AnswerTime, short.IdleTime = 200*time.Millisecond, 300*time.Millisecond, 300*time.Millisecond, 300*time.Millisecond
	_, at := serving(t, Config{
		Limits:   short,
		Services: []Service{{"web", []proxy.Backend{answering(t, "web", &n)}}, backend("hang", hang), backend("large", large)},
		Routes:   []Route{{To: []Target{{"web", 1}}}, {Host: "hang", To: []Target{{"hang", 1}}}, {Host: "large", To: []Target{{"large", 1}}}},
	}, false)
	for _, c := range []struct {
		name, sent string
		drip       string // is sent again and again after it
		want       string // how the answer begins; empty: the connection is closed
	}{
		{"nothing", "", "", ""},
		{"slow headers", "GET / HTTP/1.1\r\nHost: a\r\n", "X-A: b\r\n", ""},
		{"slow first line", "GE", "T", "HTTP/1.1 400"},
		{"long headers", "GET / HTTP/1.1\r\nHost: a\r\nX-A: " + strings.Repeat("a", 20<<10) + "\r\n\r\n", "", "HTTP/1.1 431"},
		{"many headers", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X-A: b\r\n", 5000) + "\r\n", "", "HTTP/1.1 431"},
		{"no HTTP", "\x16\x03\x01 hello\r\n\r\n", "", "HTTP/1.1 400"},
		{"no host", "GET / HTTP/1.1\r\n\r\n", "", "HTTP/1.1 400"},
		{"two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "", "HTTP/1.1 400"},
		{"length and chunks", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "", "HTTP/1.1 200"}, // the length is dropped (RFC 9112, 6.3)
		{"bad chunks", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "", "HTTP/1.1 400"},
		{"slow body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", "a", "HTTP/1.1 408"},
		{"long body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n", "", "HTTP/1.1 413"},
		{"long body in chunks", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("10000\r\n"+strings.Repeat("a", 0x10000)+"\r\n", 20), "", "HTTP/1.1 413"},
		{"a backend that hangs", "GET / HTTP/1.1\r\nHost: hang\r\n\r\n", "", "HTTP/1.1 504"},
		{"who does not read", "GET / HTTP/1.1\r\nHost: large\r\n\r\n", "", "unread"},
	} {
		c := c
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", at)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
			go func() {
				_, _ = io.WriteString(conn, c.sent)
				for c.drip != "" {
					time.Sleep(20 * time.Millisecond)
					if _, err := io.WriteString(conn, c.drip); err != nil {
						return
					}
				}
			}()
			if c.want == "unread" {
				time.Sleep(2 * time.Second) // longer than anyone is waited for
				n, err := io.Copy(io.Discard, conn)
				if n > 32<<20 {
					t.Errorf("%d bytes waited for who does not read, %v", n, err)
				}
				return
			}
			line, err := bufio.NewReader(conn).ReadString('\n')
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				t.Fatal("it is not bounded")
			}
			if !strings.HasPrefix(line, c.want) || c.want == "" && strings.HasPrefix(line, "HTTP/1.1 200") {
				t.Errorf("it is answered %q, %v, want %q", line, err, c.want)
			}
			if status, _ := ask(t, http.DefaultClient, at, "b"); status != 200 {
				t.Errorf("another is answered %d", status)
			}
		})
	}
}

// TestSpeaks asks in each of the languages of HTTP.
func TestSpeaks(t *testing.T) {
	var n atomic.Int64
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", r.Header.Get("Upgrade"))
		_, _ = io.Copy(conn, rw)
	}))
	t.Cleanup(echo.Close)
	c := Config{
		Services: []Service{
			{"web", []proxy.Backend{answering(t, "web", &n)}},
			{"echo", []proxy.Backend{{Name: "echo", At: netip.MustParseAddrPort(echo.Listener.Addr().String()), Weight: 1}}},
		},
		Routes: []Route{{To: []Target{{"web", 1}}}, {Host: "echo", To: []Target{{"echo", 1}}}},
	}
	pair, pool := signed(t)
	c.Certificates = []Pair{pair}
	_, plain := serving(t, c, false)
	e, secret := serving(t, c, true)
	h2c := &http.Client{Transport: &http2.Transport{AllowHTTP: true, DialTLSContext: func(ctx context.Context, network, addr string, _ *tls.Config) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}}
	safe := &tls.Config{RootCAs: pool, ServerName: "shop.test"}
	for _, x := range []struct {
		name, url, proto string
		client           *http.Client
	}{
		{"HTTP/1.1", "http://" + plain, "HTTP/1.1", http.DefaultClient},
		{"h2c", "http://" + plain, "HTTP/2.0", h2c},
		{"TLS", "https://" + secret, "HTTP/1.1", &http.Client{Transport: &http.Transport{TLSClientConfig: safe}}},
		{"HTTP/2", "https://" + secret, "HTTP/2.0", &http.Client{Transport: &http.Transport{TLSClientConfig: safe, ForceAttemptHTTP2: true}}},
	} {
		for i := 0; i < 3; i++ {
			r, err := http.NewRequest(http.MethodPost, x.url, strings.NewReader("said"))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Forwarded-For", "192.0.2.1") // which a stranger says
			res, err := x.client.Do(r)
			if err != nil {
				t.Fatalf("%s: %v", x.name, err)
			}
			b, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if res.Proto != x.proto || !strings.HasSuffix(string(b), " 127.0.0.1 said") {
				t.Errorf("%s: %s %q", x.name, res.Proto, b)
			}
		}
	}
	conn, err := net.Dial("tcp", plain)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: echo\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	r := bufio.NewReader(conn)
	if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode != 101 {
		t.Fatalf("upgrade: %v, %v", res, err)
	}
	fmt.Fprint(conn, "hello")
	if b, err := io.ReadAll(io.LimitReader(r, 5)); string(b) != "hello" {
		t.Errorf("the upgraded connection says %q, %v", b, err)
	}
	fresh, freshPool := signed(t) // certificates are those of now
	c.Limits, c.Certificates = limits, []Pair{fresh}
	if err := e.Set(c); err != nil {
		t.Fatal(err)
	}
	again := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: freshPool, ServerName: "shop.test"}}}
	if res, err := again.Get("https://" + secret); err != nil {
		t.Errorf("with a new certificate: %v", err)
	} else {
		res.Body.Close()
	}
}

// signed is a certificate for shop.test that signs itself, and who trusts it.
func signed(t *testing.T) (Pair, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{"shop.test"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p := Pair{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:         pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw}),
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(p.Certificate)
	return p, pool
}
