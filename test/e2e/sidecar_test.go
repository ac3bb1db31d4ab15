package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/netns"
)

// get sends a request of HTTP from the namespace ns on a connection of its own, for
// the host "web" or another.
func get(ns, to string, host ...string) (status int, body string, err error) {
	c, err := dialFrom(ns, to)
	if err != nil {
		return 0, "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", append(host, "web")[0])
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

// serveHTTP has a container answer requests, each on a connection of its own.
func serveHTTP(t *testing.T, ns string, answer func() (status int, body string)) (end func()) {
	t.Helper()
	return serve80(t, ns, func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
			return
		}
		status, body := answer()
		fmt.Fprintf(c, "HTTP/1.1 %d %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, http.StatusText(status), len(body), body)
	})
}

// sidecarStatus is what cnet sidecar status tells.
type sidecarStatus struct {
	Status struct {
		Requests, Failed, Tries, Retries, Connections, TCP, Loops int
		Open                                                      []string
		Metrics                                                   string
	}
	Rules struct{ Taken, Own int }
}

func statusOf(t *testing.T, name string) (s sidecarStatus) {
	t.Helper()
	if err := json.Unmarshal([]byte(must(t, "sidecar", "status", name, "-o", "json")), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// shaky is a caller a and a server b that fails so many of a hundred requests.
func shaky(t *testing.T, percent *atomic.Int64) {
	t.Helper()
	must(t, "network", "create", "lab", "--ipv6")
	must(t, "create", "a", "b", "--network", "lab")
	serveHTTP(t, "b", func() (int, string) {
		if rand.Int63n(100) < percent.Load() {
			return 500, "b fails"
		}
		return 200, "b"
	})
}

// TestSidecar has a caller call a server that fails a fifth of its requests:
// without a sidecar, and with one. What the proxy counts, the kernel counts too.
func TestSidecar(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		var percent atomic.Int64
		percent.Store(20)
		shaky(t, &percent)
		calls := func(n int, to string) (good int) {
			for i := 0; i < n; i++ {
				if status, _, err := get("a", to); err == nil && status == 200 {
					good++
				}
			}
			return good
		}
		if good := calls(1000, "10.77.0.3:80"); good < 735 || good > 865 { // five standard deviations
			t.Errorf("without a sidecar %d of 1000 calls succeed", good)
		}
		must(t, "sidecar", "attach", "a", "--retries", "2")
		good := calls(500, "10.77.0.3:80") + calls(500, "[fd77:77:77::3]:80")
		s := statusOf(t, "a")
		t.Logf("%d of 1000 succeed: %+v %+v", good, s.Status, s.Rules)
		if good < 980 { // 0.8 % fail, give or take five standard deviations
			t.Errorf("with a sidecar %d of 1000 calls succeed", good)
		}
		if s.Status.Requests != 1000 || s.Status.Failed != 1000-good || s.Rules.Taken != 1000 || s.Rules.Own != s.Status.Tries ||
			s.Status.Tries != 1000+s.Status.Retries || s.Status.Connections != s.Status.Tries {
			t.Errorf("the counts do not agree: %+v %+v", s.Status, s.Rules)
		}
		if want := fmt.Sprintf("cnet_sidecar_retries_total %d\n", s.Status.Retries); !strings.Contains(s.Status.Metrics, want) {
			t.Errorf("the metrics do not say %q", want)
		}
		if _, page, err := get("a", "127.0.0.1:15001"); err != nil || !strings.Contains(page, "1000 requests") {
			t.Errorf("the proxy says of itself %q, %v", page, err)
		}
		must(t, "check")
		must(t, "sidecar", "detach", "a")
		if good := calls(200, "10.77.0.3:80"); good > 190 {
			t.Errorf("after it was detached %d of 200 calls succeed", good)
		}
		must(t, "check")
	})
}

// TestSidecarStorm has the server fail always: the circuit opens, and few of many
// calls reach it. When it is well again so are they.
func TestSidecarStorm(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		var percent atomic.Int64
		percent.Store(100)
		shaky(t, &percent)
		must(t, "sidecar", "attach", "a", "--retries", "2", "--circuit", "5/300ms")
		began := time.Now()
		seen := make(map[int]int)
		for i := 0; i < 1000; i++ {
			status, _, err := get("a", "10.77.0.3:80")
			if err != nil {
				t.Fatal(err)
			}
			seen[status]++
		}
		took := time.Since(began)
		s := statusOf(t, "a")
		most := 5 + 3*(int(took/(300*time.Millisecond))+1) // and a trial each time that the circuit is tried
		if s.Status.Tries > most || seen[503] < 900 {
			t.Errorf("in %s %v were answered, with %d tries (at most %d): %+v", took, seen, s.Status.Tries, most, s.Status)
		}
		percent.Store(0)
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if status, _, err := get("a", "10.77.0.3:80"); err == nil && status == 200 {
				break
			}
			if time.Now().After(end) {
				t.Fatal("the circuit stays open")
			}
		}
	})
}

// TestSidecarLoop tries to have the proxy call itself.
func TestSidecarLoop(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		var percent atomic.Int64
		shaky(t, &percent)
		for _, flags := range [][]string{{"--retries", "10"}, {"--retries", "10", "--inbound"}} {
			must(t, append([]string{"sidecar", "attach", "a"}, flags...)...)
			for _, to := range []string{"127.0.0.1:15001", "[::1]:15001", "10.77.0.2:15001", "10.77.0.2:15006", "127.0.0.1:15006", "10.77.0.3:80"} {
				_, _, _ = get("a", to)
				_, _, _ = get("b", to)
			}
			if s := statusOf(t, "a"); s.Status.Loops != 0 || s.Status.Connections > 20 {
				t.Errorf("%v: calling the proxy itself makes %d connections, %d of them in a circle", flags, s.Status.Connections, s.Status.Loops)
			}
		}
		before := statusOf(t, "a").Status
		hosttest.Sh(t, spoilExemption)
		if _, stderr, code := cnet(t, "check"); code != 6 {
			t.Errorf("check, without the exemption: exit code %d, %s", code, stderr)
		}
		if status, body, err := get("a", "10.77.0.3:80"); status != 502 || !strings.Contains(body, "came back") {
			t.Errorf("a call that nothing spares: %d, %q, %v", status, body, err)
		}
		c, err := dialFrom("a", "10.77.0.3:80")
		if err == nil { // who says nothing first
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			_, err = c.Read(make([]byte, 1))
		}
		if !errors.Is(err, unix.ECONNRESET) && !errors.Is(err, unix.EPIPE) {
			t.Errorf("a silent call that nothing spares ends with %v", err)
		}
		if s := statusOf(t, "a").Status; s.Loops < 2 || s.Connections-before.Connections != s.Loops || s.Loops > 4 {
			t.Errorf("%d connections came back, of %d that were made", s.Loops, s.Connections-before.Connections)
		}
		must(t, "repair")
		must(t, "check")
		if status, _, err := get("a", "10.77.0.3:80"); status != 200 {
			t.Errorf("after the repair: %d, %v", status, err)
		}
	})
}

// spoilExemption has all that a sends led to its proxy, what the proxy sends too.
const spoilExemption = `
	ip netns exec a iptables -t nat -I CNET-REDIRECT 1 -p tcp -j REDIRECT --to-ports 15001 2>/dev/null ||
	ip netns exec a nft insert rule inet cnet redirect-out4 meta l4proto tcp redirect to :15001`

func dialFrom(ns, to string) (c net.Conn, err error) {
	err = netns.Do(path(ns), func() (err error) {
		c, err = net.DialTimeout("tcp", to, 10*time.Second)
		return err
	})
	return c, err
}

// TestSidecarKilled kills the proxy: a new child finds who called meanwhile; where
// the parent is killed too, callers are refused, and check and repair know.
func TestSidecarKilled(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		lan(t)
		var percent atomic.Int64
		shaky(t, &percent)
		must(t, "sidecar", "attach", "a")
		_, child := sidecarProcesses(t)
		if status, err := os.ReadFile("/proc/" + child + "/status"); err != nil || !strings.Contains(string(status), "Uid:\t65534\t65534\t65534\t65534") ||
			!strings.Contains(string(status), "CapEff:\t0000000000002000") { // to send raw packets, for its mark
			t.Errorf("the child has other privileges: %v\n%s", err, status)
		}
		hosttest.Sh(t, "kill -9 "+child)
		if status, _, err := get("a", "10.77.0.3:80"); status != 200 {
			t.Errorf("with a new child: %d, %v", status, err)
		}
		killKept(t, "sidecar-")
		if _, _, err := get("a", "10.77.0.3:80"); !errors.Is(err, unix.ECONNREFUSED) {
			t.Errorf("without a proxy a call ends with %v", err)
		}
		if stdout, _, code := cnet(t, "check"); code != 6 || !strings.Contains(stdout, "sidecar-a") {
			t.Errorf("check: exit code %d, %s", code, stdout)
		}
		if out := must(t, "repair"); !strings.Contains(out, "started: the process sidecar-a") {
			t.Errorf("repair says %q", out)
		}
		if status, _, err := get("a", "10.77.0.3:80"); status != 200 {
			t.Errorf("after the repair: %d, %v", status, err)
		}
		must(t, "sidecar", "attach", "a", "--inbound")
		hosttest.Sh(t, "rm -r /run/cnet/proc /run/cnet/sidecar-a.lock /run/cnet/sidecar-a.sock") // nobody knows it any more
		must(t, "repair")
		if status, _, err := get("a", "10.77.0.3:80"); status != 200 {
			t.Errorf("after it was lost: %d, %v", status, err)
		}
		must(t, "reset")
		if parents, children := kept(t); len(parents)+len(children) > 0 {
			t.Errorf("after reset %v and %v run", parents, children)
		}
	})
}

// keptAs are the kept processes whose name begins so.
func keptAs(t *testing.T, name string) (parents, children []string) {
	t.Helper()
	parents, children = kept(t)
	other := func(pid string) bool {
		b, _ := os.ReadFile("/proc/" + pid + "/cmdline")
		return !strings.Contains(string(b), "keep\x00"+name)
	}
	return slices.DeleteFunc(parents, other), slices.DeleteFunc(children, other)
}

func sidecarProcesses(t *testing.T) (parent, child string) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if parents, children := keptAs(t, "sidecar-"); len(parents) == 1 && len(children) == 1 {
			return parents[0], children[0]
		}
	}
	t.Fatal("no sidecar runs")
	return parent, child
}

// TestSidecarDrain takes a sidecar away, and puts it back, while a request and a
// stream are under way and others begin: none is lost.
func TestSidecarDrain(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		lan(t)
		must(t, "network", "create", "lab")
		must(t, "create", "a", "b", "e", "--network", "lab")
		begun, go1 := make(chan bool, 1), make(chan bool)
		serveHTTP(t, "b", func() (int, string) {
			begun <- true
			<-go1
			return 200, "late"
		})
		listenEcho(t, "e")
		end := make(chan bool)
		lost := make(chan int)
		go func() { // others, all the time
			n := 0
			for {
				select {
				case <-end:
					lost <- n
					return
				default:
				}
				if c, err := dialFrom("a", "10.77.0.4:80"); err != nil {
					n++
				} else {
					fmt.Fprintln(c, "hello")
					if _, err := io.ReadFull(c, make([]byte, 6)); err != nil {
						n++
					}
					c.Close()
				}
			}
		}()
		must(t, "sidecar", "attach", "a")
		s := openStream(t, "through", "a", "10.77.0.4:80")
		answer := make(chan error)
		go func() {
			status, body, err := get("a", "10.77.0.3:80")
			if err == nil && (status != 200 || body != "late") {
				err = fmt.Errorf("%d %q", status, body)
			}
			answer <- err
		}()
		<-begun
		detached := make(chan bool)
		go func() {
			must(t, "sidecar", "detach", "a", "--drain", "60s")
			close(detached)
		}()
		for end := time.Now().Add(10 * time.Second); strings.Contains(hosttest.Rules(t), "CNET-REDIRECT") && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		if err := s.goesOn(); err != nil {
			t.Errorf("the stream through the proxy: %v", err)
		}
		must(t, "create", "other", "--network", "lab") // which does not end the proxy
		close(go1)
		if err := <-answer; err != nil {
			t.Errorf("the request under way: %v", err)
		}
		s.conn.Close()
		<-detached
		must(t, "check")
		must(t, "sidecar", "attach", "a", "--inbound", "--retries", "1")
		close(end)
		if n := <-lost; n > 0 {
			t.Errorf("%d calls were lost while the sidecar came and went", n)
		}
	})
}

// TestSidecarInterrupted gives up waiting for a stream to end: the command ends at
// once, says so, and goes on when it is given again.
func TestSidecarInterrupted(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		lan(t)
		must(t, "network", "create", "lab")
		must(t, "create", "a", "e", "--network", "lab")
		listenEcho(t, "e")
		must(t, "sidecar", "attach", "a")
		s := openStream(t, "through", "a", "10.77.0.3:80")
		defer s.conn.Close()
		var said strings.Builder
		detach := command(t, "sidecar", "detach", "a", "--drain", "60s")
		detach.Stderr = &said
		if err := detach.Start(); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(10 * time.Second); !strings.Contains(must(t, "sidecar", "list"), "ends") && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		if err := s.goesOn(); err != nil {
			t.Errorf("the stream through the proxy: %v", err)
		}
		began := time.Now()
		_ = detach.Process.Signal(unix.SIGINT)
		if err := detach.Wait(); err == nil || detach.ProcessState.ExitCode() != 1 || time.Since(began) > 20*time.Second || !saysAny(said.String(), "interrupted") {
			t.Errorf("interrupted, it ends with %v after %s: %s", err, time.Since(began), said.String())
		}
		must(t, "sidecar", "status", "a")
		began = time.Now()
		must(t, "sidecar", "detach", "a", "--drain", "100ms")
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("a shorter drain takes %s", took)
		}
		must(t, "check")
		if parents, children := keptAs(t, "sidecar-"); len(parents)+len(children) > 0 {
			t.Errorf("%v and %v run", parents, children)
		}
	})
}

// TestSidecarTCP passes what is not HTTP: a server that speaks first, one that is
// called by a service's address and has a dead backend, and what calls the
// container itself, over IPv4 and IPv6.
func TestSidecarTCP(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		must(t, "network", "create", "lab", "--ipv6")
		must(t, "create", "a", "b", "c", "--network", "lab")
		must(t, "service", "create", "web", "--network", "lab", "--port", "80", "--backend", "b", "--backend", "c", "--vip", "10.76.0.1")
		say80(t, "b", "b")
		must(t, "sidecar", "attach", "a", "--inbound", "--retries", "1")
		for _, to := range []string{"10.77.0.3:80", "[fd77:77:77::3]:80", "10.76.0.1:80", "10.76.0.1:80", "10.76.0.1:80"} {
			c, err := dialFrom("a", to)
			if err == nil {
				var b []byte
				if b, err = io.ReadAll(c); err == nil && string(b) != "b" {
					err = fmt.Errorf("it says %q", b)
				}
				c.Close()
			}
			if err != nil {
				t.Errorf("%s: %v", to, err)
			}
		}
		serveHTTP(t, "a", func() (int, string) { return 200, "a" })
		for _, to := range []string{"10.77.0.2:80", "[fd77:77:77::2]:80"} {
			if _, body, err := get("b", to); body != "a" {
				t.Errorf("%s: %q, %v", to, body, err)
			}
		}
		for _, to := range []string{"10.77.0.2:15001", "10.77.0.2:15006"} { // the proxy itself is nobody's business
			if status, body, err := get("b", to); err == nil && status != 502 {
				t.Errorf("b is answered at %s: %d, %q", to, status, body)
			}
		}
		if s := statusOf(t, "a"); s.Status.Requests-s.Status.Failed != 2 || s.Status.TCP < 5 {
			t.Errorf("it counts %+v", s.Status)
		}
	})
}
