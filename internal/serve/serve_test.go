package serve

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/fail"
	"golang.org/x/sys/unix"
)

// run starts s and returns its address and a func that stops it. A test that
// leaves a goroutine or a descriptor behind fails.
func run(t *testing.T, s *Server) (addr string, stop func()) {
	t.Helper()
	noLeaks(t)
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			start := time.Now()
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
			if d := time.Since(start); d > time.Second/2 {
				t.Errorf("Run took %v to end", d)
			}
		})
	}
	t.Cleanup(stop)
	return s.Local().String(), stop
}

func noLeaks(t *testing.T) {
	t.Helper()
	descriptors := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	if r, w, err := os.Pipe(); err == nil { // the runtime's poller opens its own descriptors once
		r.Close()
		w.Close()
	}
	goroutines, open := runtime.NumGoroutine(), descriptors()
	t.Cleanup(func() {
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			g, d := runtime.NumGoroutine(), descriptors()
			if g <= goroutines && d <= open {
				return
			}
			if time.Now().After(end) {
				t.Errorf("left behind: %d goroutines, %d descriptors", g-goroutines, d-open)
				return
			}
		}
	})
}

// dial is a raw client of addr.
func dial(t *testing.T, network, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

func send(t *testing.T, c net.Conn, words string) {
	t.Helper()
	if _, err := io.WriteString(c, words); err != nil {
		t.Fatal(err)
	}
}

func ask(t *testing.T, addr, request string) (status int, body string) {
	t.Helper()
	c := dial(t, "tcp", addr)
	defer c.Close()
	send(t, c, request)
	return hear(t, bufio.NewReader(c))
}

func hear(t *testing.T, r *bufio.Reader) (status int, body string) {
	t.Helper()
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

const get = "GET /who?x=1 HTTP/1.1\r\nHost: web\r\n\r\n"

func TestAnswer(t *testing.T) {
	for _, at := range []struct{ addr, client string }{
		{"127.0.0.1:0", "127.0.0.1"}, {":0", "127.0.0.1"}, {":0", "::1"}, {"0.0.0.0:0", "127.0.0.1"}, {"[::1]:0", "::1"}, {"[::]:0", "::1"},
	} {
		at := at
		t.Run(at.addr+" from "+at.client, func(t *testing.T) {
			needIPv6(t, at.addr, at.client)
			var log bytes.Buffer
			s := &Server{Name: "web", Addr: at.addr, Log: &log}
			_, stop := run(t, s)
			c := dial(t, "tcp", netip.AddrPortFrom(netip.MustParseAddr(at.client), s.Local().Port()).String())
			send(t, c, get)
			status, body := hear(t, bufio.NewReader(c))
			want := fmt.Sprintf("name     web\nclient   %s\nserver   %s\nrequest  GET /who?x=1 HTTP/1.1\n", c.LocalAddr(), c.RemoteAddr())
			if status != 200 || body != want {
				t.Errorf("%d\n%swant\n%s", status, body, want)
			}
			c.Close()
			stop()
			if want := fmt.Sprintf("%s  GET /who?x=1 HTTP/1.1  200\n", c.LocalAddr()); log.String() != want {
				t.Errorf("log %q, want %q", &log, want)
			}
		})
	}
}

func needIPv6(t *testing.T, addrs ...string) {
	t.Helper()
	if !strings.Contains(strings.Join(addrs, " "), "::") {
		return
	}
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("this host has no IPv6 loopback: ", err)
	}
	l.Close()
}

func TestRequests(t *testing.T) {
	addr, _ := run(t, &Server{Name: "web", Addr: "127.0.0.1:0"})
	for _, c := range []struct {
		name, request string
		status        int
		body          string
	}{
		{"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 200, "request  GET / HTTP/1.0"},
		{"bare newlines", "GET / HTTP/1.1\nHost: x\n\n", 200, "request  GET /"},
		{"POST", "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 200, "request  POST /p"},
		{"long body unread", "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000), 200, "POST"},
		{"chunked", "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, "POST"},
		{"no host", "GET / HTTP/1.1\r\n\r\n", 400, "names its host"},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP/1.1"},
		{"words", "hello there\r\n\r\n", 400, "not a request"},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "not a request"},
		{"NUL in path", "GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "not a request"},
		{"escape in path", "GET /\u009b31m HTTP/1.1\r\nHost: x\r\n\r\n", 200, `\u009b31m`},
		{"bad header", "GET / HTTP/1.1\r\nHost x\r\n\r\n", 400, "not a request"},
		{"long header", "GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 60000) + "\r\n\r\n", 431, "at most"},
		{"endless line", strings.Repeat("x", 60000), 431, "at most"},
	} {
		c := c
		t.Run(c.name, func(t *testing.T) {
			if status, body := ask(t, addr, c.request); status != c.status || !strings.Contains(body, c.body) {
				t.Errorf("%d %s, want %d %s", status, body, c.status, c.body)
			}
		})
	}
}

func TestHead(t *testing.T) {
	addr, _ := run(t, &Server{Addr: "127.0.0.1:0"})
	c := dial(t, "tcp", addr)
	send(t, c, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
	all, err := io.ReadAll(c)
	if err != nil || !bytes.HasSuffix(all, []byte("\r\n\r\n")) || !bytes.Contains(all, []byte("Connection: close")) {
		t.Errorf("%q, %v", all, err)
	}
}

func TestKeepAlive(t *testing.T) {
	addr, _ := run(t, &Server{Addr: "127.0.0.1:0"})
	c := dial(t, "tcp", addr)
	r := bufio.NewReader(c)
	stay := strings.Replace(get, "\r\n\r\n", "\r\nConnection: Keep-Alive\r\n\r\n", 1)
	send(t, c, stay+stay) // also without waiting for the first answer
	send(t, c, get)
	for i := 0; i < 3; i++ {
		if status, _ := hear(t, r); status != 200 {
			t.Errorf("answer %d: %d", i, status)
		}
	}
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("after a request without keep-alive: %v, want EOF", err)
	}
}

func TestSilentClients(t *testing.T) {
	addr, _ := run(t, &Server{Addr: "127.0.0.1:0", idle: 100 * time.Millisecond})
	silent := dial(t, "tcp", addr)
	halfway := dial(t, "tcp", addr)
	send(t, halfway, "GET / HT")
	if status, _ := ask(t, addr, get); status != 200 {
		t.Errorf("beside silent clients: %d", status)
	}
	for _, c := range []net.Conn{silent, halfway} {
		if b, err := io.ReadAll(c); len(b) > 0 || err != nil {
			t.Errorf("a silent client got %q, %v; want EOF", b, err)
		}
	}
}

func TestStopWithClients(t *testing.T) {
	addr, stop := run(t, &Server{Addr: "127.0.0.1:0", Latency: time.Hour})
	dial(t, "tcp", addr)
	waiting := dial(t, "tcp", addr)
	send(t, waiting, get)
	stop()
	if _, err := net.Dial("tcp", addr); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("after the end: %v, want ECONNREFUSED", err)
	}
}

// A client who vanishes must not kill the process by SIGPIPE.
func TestClientVanishes(t *testing.T) {
	addr, _ := run(t, &Server{Addr: "127.0.0.1:0", Latency: 20 * time.Millisecond})
	for i := 0; i < 20; i++ {
		c := dial(t, "tcp", addr)
		send(t, c, get)
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
	if status, _ := ask(t, addr, get); status != 200 {
		t.Errorf("afterwards: %d", status)
	}
}

func TestLatency(t *testing.T) {
	const latency = 80 * time.Millisecond
	addr, _ := run(t, &Server{Addr: "127.0.0.1:0", Latency: latency})
	start := time.Now()
	if status, _ := ask(t, addr, get); status != 200 || time.Since(start) < latency {
		t.Errorf("%d after %v", status, time.Since(start))
	}
}

func TestFailRate(t *testing.T) {
	for _, rate := range []int{0, 40, 100} {
		failed := 0
		s := &Server{FailRate: rate}
		for i := 0; i < 10000; i++ {
			if s.fails() {
				failed++
			}
		}
		if failed < rate*100-400*(rate%100)/40 || failed > rate*100+400*(rate%100)/40 {
			t.Errorf("at %d %%, %d of 10000 failed", rate, failed)
		}
	}
	addr, _ := run(t, &Server{Addr: "127.0.0.1:0", FailRate: 100})
	if status, body := ask(t, addr, get); status != 500 || !strings.Contains(body, "error    this server fails 100 % of its requests\n") {
		t.Errorf("%d %s", status, body)
	}
}

// TestFailsByChance asks a thousand times. How many fail is binomial: within six
// standard deviations but for one run in half a billion; and no two such runs of
// failures are alike, as they would be if each fifth request failed.
func TestFailsByChance(t *testing.T) {
	const asked, rate = 1000, 20
	addr, _ := run(t, &Server{Addr: "127.0.0.1:0", FailRate: rate})
	failed, gaps, last := 0, make(map[int]bool), 0
	for i := 0; i < asked; i++ {
		switch status, _ := ask(t, addr, get); status {
		case http.StatusInternalServerError:
			failed++
			gaps[i-last], last = true, i
		case http.StatusOK:
		default:
			t.Fatalf("status %d", status)
		}
	}
	mean, deviation := asked*rate/100.0, math.Sqrt(asked*rate*(100-rate)/10000.0)
	if math.Abs(float64(failed)-mean) > 6*deviation {
		t.Errorf("%d of %d failed, want %.0f, give or take %.0f", failed, asked, mean, 6*deviation)
	}
	if len(gaps) < 5 {
		t.Errorf("between failures there are always %v requests", gaps)
	}
}

// Without descriptors, clients wait in the queue, and the server does not spin.
func TestNoDescriptors(t *testing.T) {
	var explain lines
	addr, _ := run(t, &Server{Addr: "127.0.0.1:0", Explain: &explain})
	client := dial(t, "tcp", addr) // dialled before descriptors run out
	send(t, client, get)
	if status, _ := hear(t, bufio.NewReader(client)); status != 200 {
		t.Fatal(status)
	}
	second, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(second)

	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddrPort(addr)
	err = unix.Connect(second, endpoint{AddrPort: at}.sockaddr())
	if err == nil {
		_, err = unix.Write(second, []byte(get))
	}
	start := time.Now()
	for !strings.Contains(explain.String(), "EMFILE") && time.Since(start) < 5*time.Second {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(250 * time.Millisecond)
	if restore := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); restore != nil {
		t.Fatal(restore)
	}
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(explain.String(), "EMFILE"); n < 1 || n > 20 {
		t.Errorf("accept met EMFILE %d times; want it once in a while", n)
	}
	answer := make([]byte, 1024)
	if n, err := unix.Read(second, answer); err != nil || !strings.Contains(string(answer[:n]), "200 OK") {
		t.Errorf("later: %q, %v", answer[:n], err)
	}
}

// lines is a buffer that may be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestManyClients(t *testing.T) {
	addr, _ := run(t, &Server{Addr: ":0", Log: io.Discard})
	_, port, _ := net.SplitHostPort(addr)
	var wg sync.WaitGroup
	for i := 0; i < 100; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c, err := net.Dial("tcp", "127.0.0.1:"+port)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			io.WriteString(c, get)
			if b, err := io.ReadAll(c); err != nil || !bytes.Contains(b, []byte("200 OK")) {
				t.Errorf("%q, %v", b, err)
			}
		}()
	}
	wg.Wait()
}

func TestUDP(t *testing.T) {
	for _, at := range []struct{ addr, client string }{
		{"127.0.0.1:0", "127.0.0.1"}, {":0", "127.0.0.3"}, {":0", "::1"}, {"0.0.0.0:0", "127.0.0.3"}, {"[::]:0", "::1"},
	} {
		at := at
		t.Run(at.addr+" to "+at.client, func(t *testing.T) {
			needIPv6(t, at.addr, at.client)
			var log bytes.Buffer
			s := &Server{Name: "web", Addr: at.addr, UDP: true, Log: &log}
			_, stop := run(t, s)
			// A connected socket hears only the address that it asked.
			c := dial(t, "udp", netip.AddrPortFrom(netip.MustParseAddr(at.client), s.Local().Port()).String())
			answer := make([]byte, 1024)
			for _, words := range []string{"hello\n", ""} {
				send(t, c, words)
				n, err := c.Read(answer)
				want := fmt.Sprintf("name     web\nclient   %s\nserver   %s\nrequest  %q\n", c.LocalAddr(), c.RemoteAddr(), strings.TrimSpace(words))
				if err != nil || string(answer[:n]) != want {
					t.Errorf("%s%v, want\n%s", answer[:n], err, want)
				}
			}
			c.Close()
			stop()
			if !strings.Contains(log.String(), c.LocalAddr().String()+`  "hello\n"  udp`) {
				t.Errorf("log: %s", &log)
			}
		})
	}
}

func TestUDPSilence(t *testing.T) {
	for name, s := range map[string]*Server{
		"to an answer":     {Addr: "127.0.0.1:0", UDP: true},
		"at 100 % failure": {Addr: "127.0.0.1:0", UDP: true, FailRate: 100},
		"when it stops":    {Addr: "127.0.0.1:0", UDP: true, Latency: time.Hour},
	} {
		s := s
		t.Run(name, func(t *testing.T) {
			addr, _ := run(t, s)
			c := dial(t, "udp", addr)
			send(t, c, "name     other\n")
			if s.Latency > 0 || s.FailRate > 0 {
				send(t, c, "hello")
			}
			c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
			if n, err := c.Read(make([]byte, 1024)); err == nil {
				t.Errorf("an answer of %d bytes, want none", n)
			}
		})
	}
}

// TestReuse has two servers at one port, which both are called.
func TestReuse(t *testing.T) {
	first := &Server{Name: "first", Addr: "127.0.0.1:0", Reuse: true}
	addr, _ := run(t, first)
	run(t, &Server{Name: "second", Addr: addr, Reuse: true})
	seen := make(map[string]bool)
	for end := time.Now().Add(10 * time.Second); len(seen) < 2 && time.Now().Before(end); {
		_, answer := ask(t, addr, "GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
		seen[strings.Fields(answer)[1]] = true
	}
	if !seen["first"] || !seen["second"] {
		t.Errorf("who answers: %v, want both", seen)
	}
}

// TestNoAccept has clients in the queue of a server that takes nobody out of it.
func TestNoAccept(t *testing.T) {
	addr, stop := run(t, &Server{Addr: "127.0.0.1:0", NoAccept: true, Backlog: 1})
	for i := 0; i < 2; i++ { // as many as the backlog, and one
		send(t, dial(t, "tcp", addr), "GET / HTTP/1.0\r\n\r\n")
	}
	if c, err := net.DialTimeout("tcp", addr, 300*time.Millisecond); err == nil {
		c.Close()
		t.Error("a third client was let into a queue of two")
	}
	stop()
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("it listens on when it has stopped")
	}
}

func TestListenErrors(t *testing.T) {
	noLeaks(t)
	taken := &Server{Addr: "127.0.0.1:0"}
	if err := taken.Listen(); err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	bound, err := net.Dial("tcp", taken.Local().String()) // owns a port, and does not listen
	if err != nil {
		t.Fatal(err)
	}
	defer bound.Close()
	for _, c := range []struct {
		name   string
		server *Server
		kind   fail.Kind
		words  string
	}{
		{"taken", &Server{Addr: taken.Local().String()}, fail.Conflict, fmt.Sprintf("(pid %d) listens there", os.Getpid())},
		{"taken, everywhere", &Server{Addr: fmt.Sprintf(":%d", taken.Local().Port())}, fail.Conflict, "listens there"},
		{"owned", &Server{Addr: bound.LocalAddr().String()}, fail.Conflict, "owns TCP port"},
		{"shared by one", &Server{Addr: taken.Local().String(), Reuse: true}, fail.Conflict, "listens there"},
		{"datagrams", &Server{Addr: ":0", UDP: true, NoAccept: true}, fail.Usage, "not accepted"},
		{"not here", &Server{Addr: "192.0.2.1:80"}, fail.Failed, "no link of this network namespace has the address 192.0.2.1"},
		{"no port", &Server{Addr: "127.0.0.1"}, fail.Usage, "HOST:PORT"},
		{"empty", &Server{}, fail.Usage, "HOST:PORT"},
		{"port 70000", &Server{Addr: ":70000"}, fail.Usage, "0 to 65535"},
		{"port -1", &Server{Addr: ":-1"}, fail.Usage, "0 to 65535"},
		{"port name", &Server{Addr: ":http"}, fail.Usage, "0 to 65535"},
		{"name", &Server{Addr: "web:80"}, fail.Usage, "not to a name"},
		{"bare IPv6", &Server{Addr: "fd77::1:80"}, fail.Usage, "[IPV6]:PORT"},
		{"no such link", &Server{Addr: "[fe80::1%nolink0]:80"}, fail.Usage, "no link nolink0"},
		{"fail rate", &Server{Addr: ":0", FailRate: 101}, fail.Usage, "percentage"},
		{"latency", &Server{Addr: ":0", Latency: -1}, fail.Usage, "negative"},
		{"backlog", &Server{Addr: ":0", Backlog: -1}, fail.Usage, "negative"},
	} {
		c := c
		t.Run(c.name, func(t *testing.T) {
			err := c.server.Listen()
			if err == nil {
				c.server.Close()
				t.Fatal("no error")
			}
			if fail.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.words) {
				t.Errorf("kind %d: %v; want kind %d: %s", fail.KindOf(err), err, c.kind, c.words)
			}
		})
	}
}

func TestPrivilegedPort(t *testing.T) {
	err := (&Server{}).inWords(endpoint{AddrPort: netip.MustParseAddrPort("127.0.0.1:80")}, unix.EACCES)
	if fail.KindOf(err) != fail.NotPermitted || !errors.Is(err, unix.EACCES) {
		t.Errorf("kind %d: %v", fail.KindOf(err), err)
	}
}

func TestExplain(t *testing.T) {
	var explain bytes.Buffer
	addr, stop := run(t, &Server{Name: "web", Addr: "127.0.0.1:0", Backlog: 1, Explain: &explain})
	ask(t, addr, get)
	stop()
	told := explain.String()
	at := 0
	for _, call := range []string{
		"socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, 0) = ", "setsockopt(", "SO_REUSEADDR, 1) = 0", "bind(", "listen(", ", 1) = 0",
		"accept4(", "getsockname(", "read(", "write(", "close(",
	} {
		next := strings.Index(told[at:], call)
		if next < 0 {
			t.Fatalf("%s is not told, or not in order:\n%s", call, told)
		}
		at += next
	}
	for _, line := range strings.Split(strings.TrimSpace(told), "\n") {
		if call, why, ok := strings.Cut(line, "  "); !ok || !strings.Contains(call, " = ") || strings.TrimSpace(why) == "" {
			t.Errorf("not a call and a sentence: %q", line)
		}
	}
}

// A server that listens and is never run: the kernel shakes hands by itself.
func TestListenAlone(t *testing.T) {
	noLeaks(t)
	s := &Server{Addr: "127.0.0.1:0", Backlog: 1}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	dial(t, "tcp", s.Local().String()).Close()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error("a second Close:", err)
	}
}

// A socket belongs to the namespace of the thread that made it, and Run may be
// on another.
func TestNamespaceOfListen(t *testing.T) {
	outside := &Server{Addr: "127.0.0.1:0"}
	addr, _ := run(t, outside)
	result := make(chan error)
	errPrivilege := errors.New("a namespace needs CAP_SYS_ADMIN")
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its namespace
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			result <- errPrivilege
			return
		}
		inside := &Server{Addr: addr} // the same port, in another namespace
		err := inside.Listen()
		inside.Close()
		result <- err
	}()
	if err := <-result; err == errPrivilege {
		t.Skip(err)
	} else if err != nil {
		t.Error(err)
	}
}
