package probe

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/serve"
	"golang.org/x/sys/unix"
)

func start(t *testing.T, s *serve.Server) (port uint16) {
	t.Helper()
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s.Local().Port()
}

// raw is a server that does with each connection what it likes.
func raw(t *testing.T, handle func(*net.TCPConn)) (port uint16) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.SetDeadline(time.Now().Add(10 * time.Second))
			handle(c.(*net.TCPConn))
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().(*net.TCPAddr).AddrPort().Port()
}

// says answers a request with these words.
func says(words string) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			io.WriteString(c, words)
		}
	}
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

// closedPort is a port that nobody listens at: bound, and not listening.
func closedPort(t *testing.T) uint16 {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return uint16(sa.(*unix.SockaddrInet4).Port)
}

func target(t *testing.T, format string, args ...any) Target {
	t.Helper()
	to, err := Parse(fmt.Sprintf(format, args...))
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func TestAnswers(t *testing.T) {
	noLeaks(t)
	web := start(t, &serve.Server{Name: "web", Addr: "127.0.0.1:0"})
	dns := start(t, &serve.Server{Name: "dns", Addr: "127.0.0.1:0", UDP: true})
	moved := raw(t, says("HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n"))
	early := raw(t, says("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\n\r\nbody"))
	long := raw(t, says("HTTP/1.0 200 OK\r\n\r\n"+strings.Repeat("x", bodyMax+1000)))
	for _, c := range []struct {
		to     Target
		status int
		body   string
		text   string
	}{
		{target(t, "http://127.0.0.1:%d/who", web), 200, "request  GET /who HTTP/1.1\n", "name     web\n"},
		{target(t, "http://localhost:%d/", web), 200, "name     web\n", "name     web\n"},
		{target(t, "127.0.0.1:%d", web), 0, "", "connected to 127.0.0.1:"},
		{target(t, "udp://127.0.0.1:%d", dns), 0, "request  \"hello\"\n", "name     dns\n"},
		{target(t, "http://127.0.0.1:%d/", moved), 302, "", ""},
		{target(t, "http://127.0.0.1:%d/", early), 200, "body", "body\n"},
		{target(t, "http://127.0.0.1:%d/", long), 200, "xxx", "xxx"},
	} {
		r := Run(context.Background(), c.to, Options{})
		if !r.OK || r.Errno != "" || r.Status != c.status || !strings.Contains(r.Body, c.body) || !strings.HasPrefix(r.Text(), c.text) {
			t.Errorf("%s: %+v\n%s", c.to, r, r.Text())
		}
		if r.Local == "" || r.Remote == "" || r.Elapsed <= 0 || len(r.Body) > bodyMax {
			t.Errorf("%s: local %q, remote %q, elapsed %v, %d bytes", c.to, r.Local, r.Remote, r.Elapsed, len(r.Body))
		}
	}
}

func TestProxyIsIgnored(t *testing.T) {
	t.Setenv("http_proxy", "http://192.0.2.1:1/")
	web := start(t, &serve.Server{Name: "web", Addr: "127.0.0.1:0"})
	if r := Run(context.Background(), target(t, "http://127.0.0.1:%d/", web), Options{}); !r.OK {
		t.Errorf("%+v", r)
	}
}

func TestSource(t *testing.T) {
	web := start(t, &serve.Server{Name: "web", Addr: "127.0.0.1:0"})
	for source, errno := range map[string]string{"127.0.0.9": "", "192.0.2.1": "EADDRNOTAVAIL", "::1": "EAI_ADDRFAMILY"} {
		r := Run(context.Background(), target(t, "http://127.0.0.1:%d/", web), Options{Source: netip.MustParseAddr(source)})
		if r.Errno != errno || errno == "" && !strings.Contains(r.Body, "client   "+source+":") {
			t.Errorf("from %s: %+v", source, r)
		}
	}
}

func TestFailures(t *testing.T) {
	noLeaks(t)
	closed := closedPort(t)
	fails := start(t, &serve.Server{Addr: "127.0.0.1:0", FailRate: 100})
	hangs := start(t, &serve.Server{Addr: "127.0.0.1:0", Latency: time.Hour})
	silent := start(t, &serve.Server{Addr: "127.0.0.1:0", UDP: true, FailRate: 100})
	resets := raw(t, func(c *net.TCPConn) { http.ReadRequest(bufio.NewReader(c)); c.SetLinger(0) })
	hangsUp := raw(t, says(""))
	half := raw(t, says("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"))
	ssh := raw(t, says("SSH-2.0-OpenSSH_9.2\r\n"))
	for _, c := range []struct {
		to      Target
		errno   string
		error   string
		meaning string
	}{
		{target(t, "127.0.0.1:%d", closed), "ECONNREFUSED", "connection refused", "nothing listens at that port"},
		{target(t, "http://127.0.0.1:%d/", closed), "ECONNREFUSED", "connection refused", "nothing listens at that port"},
		{target(t, "udp://127.0.0.1:%d", closed), "ECONNREFUSED", "connection refused", "nothing listens at that port"},
		{target(t, "http://127.0.0.1:%d/", hangs), "ETIMEDOUT", "connection timed out", "server is slow or hangs"},
		{target(t, "udp://127.0.0.1:%d", silent), "ETIMEDOUT", "connection timed out", "UDP has no handshake"},
		{target(t, "http://127.0.0.1:%d/", resets), "ECONNRESET", "connection reset by peer", "cut it short"},
		{target(t, "http://127.0.0.1:%d/", hangsUp), "EOF", "not an errno", "before a whole answer"},
		{target(t, "http://127.0.0.1:%d/", half), "EOF", "not an errno", "before a whole answer"},
		{target(t, "http://127.0.0.1:%d/", ssh), "EPROTO", "protocol error", "not HTTP"},
		{target(t, "http://127.0.0.1:%d/", fails), "", "HTTP status 500 Internal Server Error", "did its work"},
		{target(t, "255.255.255.255:80"), "ENETUNREACH", "network is unreachable", "no route"},
	} {
		r := Run(context.Background(), c.to, Options{Timeout: 300 * time.Millisecond})
		if r.OK || r.Errno != c.errno || !strings.Contains(r.Error, c.error) || !strings.Contains(r.Meaning, c.meaning) {
			t.Errorf("%s: %+v\nwant %s: %s: %s", c.to, r, c.errno, c.error, c.meaning)
		}
	}
}

// A queue that is full drops SYNs: the client's SYN leaves and nothing comes.
func TestFullQueue(t *testing.T) {
	noLeaks(t)
	s := &serve.Server{Addr: "127.0.0.1:0", Backlog: 1} // never run
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := 0; i < 2; i++ {
		c, err := net.Dial("tcp", s.Local().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	r := Run(context.Background(), target(t, s.Local().String()), Options{Timeout: 200 * time.Millisecond})
	if r.Errno != "ETIMEDOUT" || r.Meaning != meanings["ETIMEDOUT"] || r.Elapsed > 2*time.Second {
		t.Errorf("%+v", r)
	}
}

func TestCancel(t *testing.T) {
	noLeaks(t)
	hangs := start(t, &serve.Server{Addr: "127.0.0.1:0", Latency: time.Hour})
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	if r := Run(ctx, target(t, "http://127.0.0.1:%d/", hangs), Options{}); r.Errno != "ECANCELED" || r.Elapsed > 2*time.Second {
		t.Errorf("%+v", r)
	}
}

func TestNames(t *testing.T) {
	for want, err := range map[string]error{
		"EAI_NONAME":   &net.DNSError{IsNotFound: true},
		"EAI_AGAIN":    &net.DNSError{IsTimeout: true},
		"ENETUNREACH":  &net.OpError{Err: os.NewSyscallError("connect", unix.ENETUNREACH)},
		"EHOSTUNREACH": &net.OpError{Err: os.NewSyscallError("connect", unix.EHOSTUNREACH)},
		"ETIMEDOUT":    &net.OpError{Err: os.ErrDeadlineExceeded},
	} {
		r := Result{}
		r.judge(err)
		if r.Errno != want || r.Meaning != meanings[want] {
			t.Errorf("%v: %+v, want %s", err, r, want)
		}
	}
}

func TestEveryMeaning(t *testing.T) {
	for name, meaning := range meanings {
		if !strings.HasSuffix(strings.TrimRight(meaning, "?"), ".") && !strings.HasSuffix(meaning, "?") {
			t.Errorf("%s: %q is no sentence", name, meaning)
		}
	}
}

func TestText(t *testing.T) {
	r := Result{Target: Target{TCP, "web", 80, ""}}
	r.judge(&net.OpError{Err: unix.ECONNREFUSED})
	want := `ECONNREFUSED  connection refused
  The packet arrived, and the host answered that nothing listens at that port:
  no server runs, it is bound to 127.0.0.1 alone or to another port, or the port
  is not published.
`
	if got := r.Text(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	r = Result{Target: Target{HTTP, "web", 80, "/"}, Status: 500, Body: "sorry"}
	r.judge(nil)
	want = `HTTP status 500 Internal Server Error
  The network did its work: a server answered, and refused or failed by itself.

sorry
`
	if got := r.Text(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestJSON(t *testing.T) {
	r := Result{Target: Target{UDP, "::1", 53, ""}, Errno: "ECONNREFUSED", Elapsed: time.Millisecond}
	b, err := json.Marshal(r)
	want := `{"target":"udp://[::1]:53","ok":false,"errno":"ECONNREFUSED","elapsed_ns":1000000}`
	if err != nil || string(b) != want {
		t.Errorf("%s, %v; want %s", b, err, want)
	}
	var back Result
	if err := json.Unmarshal(b, &back); err != nil || back != r {
		t.Errorf("%+v, %v; want %+v", back, err, r)
	}
}

// A probe of an address is made in the namespace of the calling thread.
func TestNamespaceOfThread(t *testing.T) {
	noLeaks(t)
	web := start(t, &serve.Server{Addr: "127.0.0.1:0"})
	for _, scheme := range []string{HTTP, TCP, UDP} {
		to := target(t, "%s://127.0.0.1:%d", scheme, web)
		result := make(chan *Result)
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread ends with its namespace
			if unix.Unshare(unix.CLONE_NEWNET) != nil {
				result <- nil
				return
			}
			r := Run(context.Background(), to, Options{})
			result <- &r
		}()
		switch r := <-result; {
		case r == nil:
			t.Skip("a namespace needs CAP_SYS_ADMIN")
		case r.Errno != "ENETUNREACH": // lo is down in a new namespace
			t.Errorf("%s: %+v", to, r)
		}
	}
}
