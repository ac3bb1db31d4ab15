package e2e

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/hosttest"
)

// Readers take no lock, and see the host as it is between two changes: never
// the files of half a change, never a fact that a change is just breaking.
func TestReaders(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		states := []string{moved(t, "left"), moved(t, "right")}
		exports := make(map[string]bool)
		for _, file := range states {
			must(t, "apply", "--prune", "-f", file)
			exports[must(t, "export")] = true
		}
		stop, count := make(chan struct{}), make(map[string]int)
		var mu sync.Mutex
		var readers sync.WaitGroup
		for _, line := range []string{"export", "export", "check", "list -o json", "apply -f " + states[0] + " --prune --dry-run", "inspect c1 c8", "network inspect far"} {
			line := line
			readers.Add(1)
			go func() {
				defer readers.Done()
				for {
					select {
					case <-stop:
						return
					default:
					}
					stdout, stderr, code, err := output(command(t, strings.Fields(line)...))
					switch {
					case err != nil || code != 0:
						t.Errorf("cnet %s beside a change: exit code %d, %v\n%s%s", line, code, err, stdout, stderr)
						return
					case line == "export" && !exports[stdout]:
						t.Errorf("cnet export saw half a change:\n%s", stdout)
						return
					case line == "list -o json" && strings.Count(stdout, `"name"`) != 8:
						t.Errorf("cnet list saw half a change:\n%s", stdout)
						return
					case strings.Contains(stderr, "cut off"):
						t.Errorf("cnet %s takes a change under way for one that was cut off:\n%s", line, stderr)
						return
					}
					mu.Lock()
					count[line]++
					mu.Unlock()
				}
			}()
		}
		changes := 0
		for end := time.Now().Add(reading()); time.Now().Before(end) && !t.Failed(); changes++ {
			must(t, "apply", "--prune", "-f", states[changes%2])
		}
		close(stop)
		readers.Wait()
		must(t, "reset")
		t.Logf("beside %d changes: %v", changes, count)
	})
}

func reading() time.Duration {
	if os.Getenv("CNET_LONG") != "" {
		return time.Minute
	}
	return 3 * time.Second
}

// moved writes a topology: eight containers in the network of this name, and a
// network far that is always there.
func moved(t *testing.T, network string) (file string) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "networks:\n  - {name: far}\n  - {name: %s, subnet: 10.88.0.0/24}\ncontainers:\n", network)
	for i := 1; i <= 8; i++ {
		fmt.Fprintf(&b, "  - {name: c%d, networks: [{network: %s, ip: 10.88.0.%d}]}\n", i, network, i+1)
	}
	file = "/run/" + network + ".yaml"
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
