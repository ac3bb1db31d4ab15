package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/hosttest"
)

// kept are the numbers of the processes that cnet keeps: parents, and children.
func kept(t *testing.T) (parents, children []string) {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range lines {
		b, _ := os.ReadFile(file)
		pid := filepath.Base(filepath.Dir(file))
		switch words := strings.Split(strings.TrimRight(string(b), "\x00"), "\x00"); {
		case len(words) > 2 && words[1] == "keep" && slices.Contains(words, "--child"):
			children = append(children, pid)
		case len(words) > 2 && words[1] == "keep":
			parents = append(parents, pid)
		}
	}
	return parents, children
}

// TestKept kills what cnet keeps, and lets many start it at once.
func TestKept(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		hosttest.Sh(t, "ip link set lo up")
		must(t, "network", "create", "lab")
		if parents, _ := kept(t); len(parents) > 0 {
			t.Errorf("nobody needs %v yet", parents)
		}
		var all sync.WaitGroup
		for i := 0; i < 16; i++ {
			name := fmt.Sprintf("c%d", i)
			all.Add(1)
			go func() { defer all.Done(); must(t, "create", name, "--network", "lab") }()
		}
		all.Wait()
		answers := func(name string) {
			t.Helper()
			if _, stderr, code := cnet(t, "resolve", name); code != 0 {
				t.Errorf("resolve %s: exit code %d, %s", name, code, stderr)
			}
		}
		answers("c0")
		answers("c15")
		parents, children := kept(t)
		if len(parents) != 1 || len(children) != 1 {
			t.Fatalf("%d parents and %d children run", len(parents), len(children))
		}
		for _, file := range []string{"/run/cnet/dns.sock", "/run/cnet/dns.lock", "/run/cnet/log/@dns-" + parents[0] + ".log"} {
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", file, info.Mode(), err)
			}
		}
		status, err := os.ReadFile("/proc/" + children[0] + "/status")
		if err != nil || !strings.Contains(string(status), "CapEff:\t0000000000000000") || !strings.Contains(string(status), "Uid:\t65534\t65534\t65534\t65534") {
			t.Errorf("the child has privileges: %v\n%s", err, status)
		}
		hosttest.Sh(t, "kill -9 "+children[0])
		answers("c0") // which waits in the socket until there is another child
		hosttest.Sh(t, "kill -9 "+parents[0])
		for end := time.Now().Add(5 * time.Second); len(children) > 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
			_, children = kept(t) // which dies with its parent
		}
		if _, _, code := cnet(t, "check"); code != 6 {
			t.Errorf("check, without its parent: exit code %d", code)
		}
		must(t, "repair")
		must(t, "check")
		answers("c0")
		_, children = kept(t)
		hosttest.Sh(t, "kill -STOP "+children[0]) // it hangs
		must(t, "create", "late", "--network", "lab")
		answers("late")
		must(t, "down")
		if parents, _ := kept(t); len(parents) > 0 {
			t.Errorf("after down %v run", parents)
		}
		must(t, "up")
		answers("late")
		must(t, "reset")
		if parents, children := kept(t); len(parents)+len(children) > 0 {
			t.Errorf("after reset %v and %v run", parents, children)
		}
		if _, err := os.Stat("/run/cnet"); !os.IsNotExist(err) {
			t.Errorf("/run/cnet is left: %v", err)
		}
	})
}
