package e2e

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/internal/hosttest"
)

// TestEdgeChanges changes routes, weights, labels and backends while requests come:
// none is lost. CNET_LONG=1: 200 times.
func TestEdgeChanges(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		lan(t)
		must(t, "network", "create", "lab")
		must(t, "create", "a", "b", "--network", "lab", "--label", "app=web")
		for _, name := range []string{"a", "b"} {
			name := name
			serveHTTP(t, name, func() (int, string) { return 200, name })
		}
		must(t, "service", "create", "one", "--network", "lab", "--port", "80", "--backend", "a")
		must(t, "service", "create", "two", "--network", "lab", "--port", "80", "--selector", "app=web")
		must(t, "edge", "start", "--listen", ":8090")
		must(t, "edge", "route", "*", "--to", "one", "--to", "two")
		var done atomic.Bool
		var asked, lost atomic.Int64
		var all sync.WaitGroup
		for w := 0; w < 4; w++ {
			all.Add(1)
			go func() {
				defer all.Done()
				for !done.Load() {
					asked.Add(1)
					if status, body, err := get("outside", "203.0.113.2:8090"); status != 200 {
						lost.Add(1)
						t.Errorf("%d %q %v", status, body, err)
					}
				}
			}()
		}
		changes := 40
		if long() {
			changes = 200
		}
		for i := 0; i < changes; i++ {
			switch i % 4 {
			case 0:
				must(t, "edge", "route", "*", "--to", fmt.Sprintf("one=%d", 1+i), "--to", "two=7", "--sticky", "shop")
			case 1:
				must(t, "label", "b", "app-")
			case 2:
				must(t, "edge", "route", fmt.Sprintf("h%d.test", i), "--to", "two")
			case 3:
				must(t, "label", "b", "app=web")
			}
		}
		done.Store(true)
		all.Wait()
		t.Logf("%d requests during %d changes, %d lost", asked.Load(), changes, lost.Load())
		must(t, "check")
	})
}

// TestEdgeKept kills the edge, takes its ports, drains it, and leaves nothing of it.
func TestEdgeKept(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		lan(t)
		must(t, "network", "create", "lab")
		must(t, "create", "a", "--network", "lab", "--label", "edge.host=a.test", "--publish", "8070:80")
		begun, go1 := make(chan bool), make(chan bool)
		serveHTTP(t, "a", func() (int, string) { begun <- true; <-go1; return 200, "a" })
		next := func() { go func() { <-begun; go1 <- true }() }
		for _, c := range []struct {
			at   string
			code int
		}{{":8070", 4}, {"nonsense", 2}, {":8090", 0}} {
			if _, stderr, code := cnet(t, "edge", "start", "--listen", c.at); code != c.code {
				t.Errorf("edge start --listen %s: exit code %d, %s", c.at, code, stderr)
			}
		}
		if _, stderr, code := cnet(t, "publish", "a", "8090:81"); code != 4 || !strings.Contains(stderr, "the edge listens") {
			t.Errorf("publish at the edge's port: exit code %d, %s", code, stderr)
		}
		ask := func(what string) {
			t.Helper()
			next()
			if status, body, err := get("outside", "203.0.113.2:8090", "a.test"); status != 200 || body != "a" {
				t.Errorf("%s: %d %q %v", what, status, body, err)
			}
		}
		ask("at first")
		parents, children := keptAs(t, "edge")
		if len(parents) != 1 || len(children) != 1 {
			t.Fatalf("%v and %v run", parents, children)
		}
		if status, err := os.ReadFile("/proc/" + children[0] + "/status"); err != nil || !strings.Contains(string(status), "CapEff:\t0000000000000000") ||
			!strings.Contains(string(status), "Uid:\t65534\t65534\t65534\t65534") {
			t.Errorf("the child has privileges: %v\n%s", err, status)
		}
		hosttest.Sh(t, "kill -9 "+children[0])
		ask("with a new child")
		killKept(t, "edge")
		if _, _, err := get("outside", "203.0.113.2:8090"); !errors.Is(err, unix.ECONNREFUSED) {
			t.Errorf("without an edge a call ends with %v", err)
		}
		if stdout, _, code := cnet(t, "check"); code != 6 || !strings.Contains(stdout, "(edge)") {
			t.Errorf("check: exit code %d, %s", code, stdout)
		}
		must(t, "repair")
		ask("after the repair")

		answer := make(chan error)
		go func() { // under way while it is stopped
			status, body, err := get("outside", "203.0.113.2:8090", "a.test")
			if err == nil && (status != 200 || body != "a") {
				err = fmt.Errorf("%d %q", status, body)
			}
			answer <- err
		}()
		<-begun
		stopped := make(chan bool)
		go func() { must(t, "edge", "stop", "--drain", "60s"); close(stopped) }()
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if c, err := dialFrom("outside", "203.0.113.2:8090"); err != nil {
				break
			} else {
				c.Close()
			}
		}
		go1 <- true
		if err := <-answer; err != nil {
			t.Errorf("a request under way: %v", err)
		}
		<-stopped
		must(t, "edge", "start", "--listen", "127.0.0.1:8090")
		must(t, "reset")
		if parents, children := kept(t); len(parents)+len(children) > 0 {
			t.Errorf("after reset %v and %v run", parents, children)
		}
	})
}

// killKept kills the parents of kept processes, and waits until all have ended: a
// child dies with its parent.
func killKept(t *testing.T, name string) {
	t.Helper()
	for {
		parents, children := keptAs(t, name)
		if len(parents)+len(children) == 0 {
			return
		}
		for _, pid := range parents {
			hosttest.Sh(t, "kill -9 "+pid+" || true")
		}
		gone(t, append(parents, children...))
	}
}

// gone waits until processes are. One that nobody has asked yet how it ended counts
// when its last thread is gone too, for until then its sockets are open.
func gone(t *testing.T, pids []string) {
	t.Helper()
	for _, pid := range pids {
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
			stat, err := os.ReadFile("/proc/" + pid + "/stat")
			threads, _ := os.ReadDir("/proc/" + pid + "/task")
			if err != nil || len(threads) < 2 && strings.Contains(string(stat), ") Z ") {
				break
			}
		}
	}
}
