package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/hosttest"
)

// TestRamp moves a service's traffic from v1 to v2 under load, of which nothing
// fails; then to a v2 that has died, which is taken back at the first refusal.
func TestRamp(t *testing.T) {
	t.Parallel()
	for _, backend := range []string{viaIptables, viaNftables} {
		backend := backend
		t.Run(backend, func(t *testing.T) {
			hosttest.Run(t, func(t *testing.T) {
				useBackend(t, backend)
				must(t, "network", "create", "lab")
				for i, version := range []string{"v1", "v1", "v2"} {
					name := fmt.Sprintf("c%d", i+1)
					must(t, "create", name, "--network", "lab", "--label", "app=web", "--label", "version="+version)
				}
				serve80(t, "c1", say("v1"))
				serve80(t, "c2", say("v1"))
				end := serve80(t, "c3", say("v2"))
				must(t, "service", "create", "web", "--network", "lab", "--port", "80", "--selector", "app=web", "--mode", "exact",
					"--weight", "v1=1", "--weight", "v2=0")
				ctx, stop := context.WithCancel(context.Background())
				var called, failed atomic.Int64
				done := make(chan struct{})
				go func() {
					defer close(done)
					for ctx.Err() == nil {
						called.Add(1)
						if got, err := hear("10.76.0.1:80"); err != nil || got[0] != 'v' {
							failed.Add(1)
						}
					}
				}()
				out := must(t, "service", "ramp", "web", "v2", "--to", "100", "--step", "50", "--every", "300ms", "--tries", "3")
				stop()
				<-done
				if called.Load() == 0 || failed.Load() > 0 {
					t.Errorf("of %d calls %d failed", called.Load(), failed.Load())
				}
				lines := strings.Split(strings.TrimSpace(out), "\n")
				if len(lines) != 3 || !strings.Contains(lines[1], " 50%") || !strings.Contains(lines[2], "100.0%") {
					t.Errorf("the ramp shows\n%s", out)
				}
				if got, err := hear("10.76.0.1:80"); got != "v2" {
					t.Errorf("at 100 percent %q answers, %v", got, err)
				}
				must(t, "service", "set", "web", "--weight", "v1=3", "--weight", "v2=1")
				end()
				_, stderr, code := cnet(t, "service", "ramp", "web", "v2", "--to", "100", "--step", "50", "--every", "300ms", "--tries", "3")
				if code != 1 || !saysAny(stderr, "the weights are as before: v1=3 v2=1") {
					t.Errorf("a ramp to what is dead: exit code %d, %s", code, stderr)
				}
				must(t, "check")

				for _, c := range []struct {
					args string
					code int
					says string
				}{
					{"web v2", 2, "--to is missing"},
					{"web v2 --to 50 --try nonsense", 2, "--try tcp"},
					{"web nobody --to 50", 3, "it is neither a backend nor a group of web"},
					{"web v2 --to 25", 0, "nothing to do: v2 has 25%"},
				} {
					out, stderr, code := cnet(t, append([]string{"service", "ramp"}, strings.Fields(c.args)...)...)
					if code != c.code || !saysAny(out+stderr, c.says) {
						t.Errorf("service ramp %s: exit code %d, %s%s", c.args, code, out, stderr)
					}
				}

				// Somebody changes the weights in the middle, and is right.
				serve80(t, "c3", say("v2"))
				meanwhile := make(chan bool)
				go func() {
					defer close(meanwhile)
					for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
						if strings.Contains(must(t, "service", "list"), "50%") {
							must(t, "service", "set", "web", "--weight", "v1=7", "--weight", "v2=1")
							return
						}
					}
				}()
				_, stderr, code = cnet(t, "service", "ramp", "web", "v2", "--to", "100", "--step", "25", "--every", "600ms", "--tries", "3")
				<-meanwhile
				if code != 4 || !saysAny(stderr, "another command has changed the weights meanwhile") {
					t.Errorf("a ramp of which another changes the weights: exit code %d, %s", code, stderr)
				}
				if out := must(t, "service", "list"); !strings.Contains(out, "12.5%") {
					t.Errorf("the weights are not as that left them: %s", out)
				}
			})
		})
	}
}

func say(what string) func(net.Conn) {
	return func(c net.Conn) { _, _ = io.WriteString(c, what) }
}

// hear calls a server that says something and hangs up.
func hear(at string) (string, error) {
	c, err := net.Dial("tcp", at)
	if err != nil {
		return "", err
	}
	defer c.Close()
	b, err := io.ReadAll(c)
	return string(b), err
}
