package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/hosttest"
)

// TestRandomKills kills cnet at moments that nothing in it has chosen, 1,000 times
// over each backend if the test may take long. After each the next command must leave a host on
// which all facts hold, and at last a reset must leave nothing.
func TestRandomKills(t *testing.T) {
	for _, backend := range backends {
		backend := backend
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			hosttest.Run(t, func(t *testing.T) {
				useBackend(t, backend)
				randomKills(t)
			})
		})
	}
}

func randomKills(t *testing.T) {
	want := 40
	if long() {
		want = 1000
	}
	hosttest.Sh(t, "ip link set lo up")
	before := hosttest.Snapshot(t)
	const seed = 20261122
	r := rand.New(rand.NewSource(seed))
	killed, inTheMiddle, runs := 0, 0, 0
	for ; killed < want; runs++ {
		typed := anything(r)
		if !killedBy(t, typed, time.Duration(r.Intn(40_000))*time.Microsecond) {
			continue // it was done before
		}
		killed++
		if journal(t) {
			inTheMiddle++
		}
		settled(t, typed)
	}
	for _, args := range []string{"reset", "reset"} {
		must(t, args)
	}
	alike(t, "after the reset", before, hosttest.Snapshot(t))
	if left := cnetFiles(t); len(left) > 0 {
		t.Errorf("after the reset there are %v", left)
	}
	t.Logf("%d commands, %d of them killed, %d in the middle of a change (seed %d)", runs, killed, inTheMiddle, seed)
}

// anything is some command over a few names.
func anything(r *rand.Rand) string {
	name, network := fmt.Sprintf("c%d", r.Intn(4)), fmt.Sprintf("n%d", r.Intn(2))
	port := 8080 + r.Intn(3)
	list := []string{
		"network create " + network + " --ipv6",
		"network create " + network + " --driver ptp",
		"create " + name,
		fmt.Sprintf("create %s --network %s --publish %d:80", name, network, port),
		fmt.Sprintf("create %s --network %s", name, network),
		"connect " + name + " " + network,
		"disconnect " + name + " " + network,
		fmt.Sprintf("publish %s %d:80 %d:53/udp", name, port, port),
		"unpublish " + name,
		"delete " + name,
		"delete --all",
		"network delete " + network,
		"repair",
		"repair --firewall " + []string{"iptables", "nftables"}[r.Intn(2)],
		"reset",
	}
	return list[r.Intn(len(list))]
}

// killedBy reports whether cnet still ran when it was killed after d.
func killedBy(t *testing.T, typed string, d time.Duration) bool {
	t.Helper()
	cmd := exec.Command(filepath.Join(os.Getenv(quickVariable), "cnet"), strings.Fields(typed)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(d, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait()
	kill.Stop()
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled()
}

// journal reports whether a change was cut off.
func journal(t *testing.T) bool {
	t.Helper()
	for _, name := range []string{"journal.json", "commit.json"} {
		_, err := os.Stat("/run/cnet/" + name)
		if err == nil {
			return true
		}
		if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return false
}

// settled looks whether the next command finds, and leaves, a host in order.
func settled(t *testing.T, killed string) {
	t.Helper()
	for _, typed := range []string{"delete nobody --if-exists", "check"} {
		cmd := exec.Command(filepath.Join(os.Getenv(quickVariable), "cnet"), strings.Fields(typed)...)
		stdout, stderr, code, err := output(cmd)
		if err != nil || code != 0 {
			t.Fatalf("cnet %s was killed; then cnet %s: exit code %d %v\n%s%s", killed, typed, code, err, stdout, stderr)
		}
	}
	if journal(t) {
		t.Fatalf("cnet %s was killed; the journal stays", killed)
	}
}
