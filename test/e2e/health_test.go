package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/hosttest"
)

// TestHealth has a backend begin, die and come back, and sees who is given
// connections; then all the same without an agent, and without a check.
func TestHealth(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		hosttest.Sh(t, "ip link set lo up")
		must(t, "network", "create", "lab")
		must(t, "create", "c1", "c2", "--network", "lab", "--label", "app=web")
		must(t, "service", "create", "web", "--network", "lab", "--port", "80", "--selector", "app=web", "--check", "tcp", "--every", "50ms", "--failures", "2")
		serve80(t, "c1", say("c1"))
		end := serve80(t, "c2", say("c2"))
		shares := func(what, want string) {
			t.Helper()
			got := ""
			for stop := time.Now().Add(10 * time.Second); time.Now().Before(stop); time.Sleep(10 * time.Millisecond) {
				lines := strings.Split(strings.TrimSpace(must(t, "service", "list")), "\n")
				if got = lines[len(lines)-1]; strings.HasSuffix(got, want) {
					return
				}
			}
			t.Fatalf("%s: %s, want %s", what, got, want)
		}
		all := func(what, want string) {
			t.Helper()
			for i := 0; i < 8; i++ {
				if got, err := hear("10.76.0.1:80"); err != nil || got != want {
					t.Errorf("%s: %q answers, %v", what, got, err)
				}
			}
		}
		shares("both begin", " c1 c2")
		end()
		shares("one dies", "c1 100% c2 (not ready)")
		all("one dies", "c1")
		end = serve80(t, "c2", say("c2"))
		shares("it comes back", " c1 c2")

		parents, _ := kept(t)
		hosttest.Sh(t, "kill -STOP "+strings.Join(parents, " "))
		end()
		lost := 0
		for i := 0; i < 40; i++ {
			if _, err := hear("10.76.0.1:80"); err != nil {
				lost++
			}
		}
		if lost == 0 || lost == 40 {
			t.Errorf("with nobody to ask, and one of two dead, %d of 40 calls fail", lost)
		}
		hosttest.Sh(t, "kill -CONT "+strings.Join(parents, " "))
		shares("somebody asks again", "c1 100% c2 (not ready)")
		must(t, "service", "set", "web", "--check", "none")
		shares("without a check", " c1 c2")
		must(t, "check")
		must(t, "reset")
		if parents, children := kept(t); len(parents)+len(children) > 0 {
			t.Errorf("after reset %v and %v run", parents, children)
		}
	})
}
