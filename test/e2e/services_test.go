package e2e

import (
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/netns"
)

// eachBackend runs a test on a host of its own over iptables and nftables.
func eachBackend(t *testing.T, run func(*testing.T)) {
	t.Parallel()
	for _, backend := range []string{viaIptables, viaNftables} {
		backend := backend
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			hosttest.Run(t, func(t *testing.T) {
				useBackend(t, backend)
				lan(t)
				run(t)
			})
		})
	}
}

// TestShares counts who is given 2,000 connections to a service, one after the
// other. In turn the shares are exact; by chance they are within five standard
// deviations, which one run in a million is not. With affinity each client has one.
func TestShares(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		must(t, "network", "create", "lab")
		for i, version := range []string{"v1", "v1", "v2", "v3", "v3"} {
			name := fmt.Sprintf("c%d", i+1)
			must(t, "create", name, "--network", "lab", "--label", "app=web", "--label", "version="+version)
			say80(t, name, name)
		}
		must(t, "create", "caller", "--network", "lab")
		must(t, "service", "create", "web", "--network", "lab", "--port", "80", "--selector", "app=web", "--vip", "10.76.0.1")
		for _, c := range []struct {
			weights string
			percent []float64
		}{
			{"none", []float64{20, 20, 20, 20, 20}},
			{"c1=95 c2=5", []float64{95, 5, 0, 0, 0}},
			{"v1=60 v2=30 v3=10", []float64{30, 30, 30, 5, 5}},
		} {
			for _, mode := range []string{"random", "exact"} {
				args := []string{"service", "set", "web", "--mode", mode}
				for _, w := range strings.Fields(c.weights) {
					args = append(args, "--weight", w)
				}
				must(t, args...)
				const calls = 2000
				got := tally80(t, "caller", "10.76.0.1:80", calls)
				for i, percent := range c.percent {
					p, n := percent/100, got[fmt.Sprintf("c%d", i+1)]
					most := 5 * math.Sqrt(calls*p*(1-p))
					if mode == "exact" {
						most = 0
					}
					if off := math.Abs(float64(n) - calls*p); off > most {
						t.Errorf("%s, %s: c%d was given %d of %d, want %.0f within %.0f", c.weights, mode, i+1, n, calls, calls*p, most)
					}
				}
				t.Log(mode, c.weights, got)
			}
		}
		must(t, "service", "set", "web", "--mode", "random", "--weight", "none", "--affinity", "1m")
		for _, from := range []string{"caller", "c1", "host"} {
			if got := tally80(t, from, "10.76.0.1:80", 100); len(got) != 1 {
				t.Errorf("with affinity %s was led to %v", from, got)
			}
		}
		must(t, "check")
	})
}

// say80 answers each connection to port 80 of a container with a word.
func say80(t *testing.T, container, word string) {
	t.Helper()
	serve80(t, container, func(c net.Conn) { _, _ = io.WriteString(c, word) })
}

// tally80 calls an address from a container so many times, and counts who answers.
func tally80(t *testing.T, from, to string, calls int) map[string]int {
	t.Helper()
	got := make(map[string]int)
	for i := 0; i < calls; i++ {
		who, err := call(from, to)
		if err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
		got[who]++
	}
	return got
}

// call opens a connection and reads to its end. It leaves nothing behind in the
// kernel, where thousands of finished connections would take the ports.
func call(from, to string) (said string, err error) {
	where := ""
	if from != "host" {
		where = path(from)
	}
	var c net.Conn
	err = netns.Do(where, func() (err error) {
		c, err = net.DialTimeout("tcp", to, 10*time.Second)
		return err
	})
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.(*net.TCPConn).SetLinger(0); err != nil {
		return "", err
	}
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	b, err := io.ReadAll(c)
	return string(b), err
}

// TestServiceUnderLoad changes who answers for a service while it is called from
// everywhere without a pause. No call may fail, and what is open stays open.
func TestServiceUnderLoad(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		must(t, "network", "create", "lab", "--ipv6")
		for i := 1; i <= 4; i++ {
			name := fmt.Sprintf("c%d", i)
			must(t, "create", name, "--network", "lab")
			say80(t, name, name)
		}
		must(t, "create", "caller", "--network", "lab")
		must(t, "create", "echo", "--network", "lab", "--label", "app=web")
		listenEcho(t, "echo")
		must(t, "service", "create", "web", "--network", "lab", "--port", "80", "--publish", "8080:80",
			"--selector", "app=web", "--vip", "10.76.0.1", "--vip6", "fd77:76::1")
		open := []*stream{
			openStream(t, "sibling", "caller", "10.76.0.1:80"), openStream(t, "outside", "outside", "203.0.113.2:8080"),
			openStream(t, "host", "", "[fd77:76::1]:80"),
		}
		must(t, "label", "c1", "app=web")
		must(t, "label", "echo", "app-") // what is open stays
		l := load{from: map[string]string{"caller": "10.76.0.1:80", "c1": "[fd77:76::1]:80", "host": "10.76.0.1:80", "outside": "203.0.113.2:8080"}}
		stop := l.start(t)
		for _, line := range strings.Split(strings.TrimSpace(`
			service add web c2
			service set web --weight c1=95 --weight c2=5
			service add web c3 c4
			service set web --mode exact --weight c1=1 --weight c3=2
			service remove web c2
			service set web --weight none --mode random
			label c2 app=web
			service add web c1
			label c1 app-
			service set web --affinity 10s
			service set web --affinity 0s --publish 8080:80 --publish 8081:80
			service remove web c3
			create late --network lab
			service set web --weight c4=1
			delete c3
			network create other
			service create other --network lab --port 80 --backend c1
			service delete other
			service set web --port 80 --port 81:80`), "\n") {
			must(t, strings.Fields(line)...)
			l.goesOn(t, line)
		}
		stop()
		t.Logf("%d calls, %d failed", l.done.Load(), l.failed.Load())
		for _, s := range open {
			if err := s.goesOn(); err != nil {
				t.Errorf("the connection of %s: %v", s.name, err)
			}
		}
		must(t, "check")
	})
}

// load calls addresses without a pause.
type load struct {
	from         map[string]string // who calls which address
	done, failed atomic.Int64
}

// start begins, and returns what waits for the end of the last calls.
func (l *load) start(t *testing.T) (stop func()) {
	t.Helper()
	end := make(chan struct{})
	var callers sync.WaitGroup
	for from, to := range l.from {
		from, to := from, to
		callers.Add(1)
		go func() {
			defer callers.Done()
			for {
				select {
				case <-end:
					return
				default:
				}
				if _, err := call(from, to); err != nil {
					l.failed.Add(1)
					t.Errorf("%s to %s: %v", from, to, err)
					return
				}
				l.done.Add(1)
			}
		}()
	}
	return func() { close(end); callers.Wait() }
}

// goesOn waits for calls after a change.
func (l *load) goesOn(t *testing.T, change string) {
	t.Helper()
	want := l.done.Load() + 40
	for deadline := time.Now().Add(20 * time.Second); l.done.Load() < want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) || l.failed.Load() > 0 {
			t.Fatalf("after %s: %d calls, %d failed", change, l.done.Load(), l.failed.Load())
		}
	}
}
