package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/internal/hosttest"
)

// lockFile opens cnet's lock and takes it.
func lockFile(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The lock of another change is waited for, and its holder named: by its own
// words or, where it says nothing, by the kernel's.
func TestLockHeld(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		must(t, "create", "web")
		f := lockFile(t, "/run/cnet/lock")
		defer f.Close()
		before, self := hosttest.Snapshot(t), fmt.Sprintf("pid %d ", os.Getpid())
		os.Setenv("CNET_LOCK_TIMEOUT", "10ms")
		for _, c := range []struct{ file, typed, says string }{
			{"", "create db", self + "(/proc/self/exe |" + self + "(" + os.Args[0]},
			{"pid 77 (cnet create a) since 12:00:00\n", "create db", self}, // of one that was killed
			{self + "(cnet create a) since 12:00:00\n", "create db", self + "(cnet create a) since 12:00:00 holds it; waited 10ms"},
			{self + "(cnet create a) since 12:00:00\n", "delete web --lock-timeout 20ms", "waited 20ms"},
		} {
			if err := os.WriteFile("/run/cnet/lock", []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
			_, stderr, code := cnet(t, strings.Fields(c.typed)...)
			if code != 5 || !saysAny(stderr, c.says) {
				t.Errorf("exit code %d, want it to say %q\n%s", code, c.says, stderr)
			}
			sentence(t, stderr)
		}
		start := time.Now()
		_, stderr, code := cnet(t, "create", "db", "--lock-timeout", "0")
		if code != 5 || saysAny(stderr, "waited") {
			t.Errorf("without waiting: exit code %d after %s\n%s", code, time.Since(start), stderr)
		}
		alike(t, "the kernel was touched", before, hosttest.Snapshot(t))
		for _, reader := range []string{"create db --dry-run", "list", "inspect web", "export", "check", "exec web -- true"} {
			must(t, strings.Fields(reader)...) // which needs no lock
		}
		f.Close()
		must(t, "create", "db")
		must(t, "exec", "-d", "db", "--", "sleep", "600")
		must(t, "delete", "db", "--lock-timeout", "0")
	})
}

// A holder that is stopped is named as such, and a change under way is not
// taken for damage, nor for one that was cut off.
func TestLockHolderStopped(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		must(t, "create", "web", "--publish", "8080:80")
		s := stop(t, true, "delete", "web")
		if err := s.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		for _, typed := range []string{"create db", "check"} {
			os.Setenv("CNET_LOCK_TIMEOUT", "50ms")
			_, stderr, code := cnet(t, strings.Fields(typed)...)
			says := fmt.Sprintf("pid %d (cnet delete web) since", s.Process.Pid)
			if code != 5 || !saysAny(stderr, says) || !saysAny(stderr, "is stopped") || !saysAny(stderr, fmt.Sprintf("kill -CONT %d", s.Process.Pid)) {
				t.Errorf("cnet %s: exit code %d, want it to say %q\n%s", typed, code, says, stderr)
			}
		}
		_, stderr, code := cnet(t, "create", "db", "--dry-run")
		if code != 0 || !saysAny(stderr, "in the middle of a change") {
			t.Errorf("a dry run beside it: exit code %d\n%s", code, stderr)
		}
		letGo(t)
		if err := s.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		if err := s.Wait(); err != nil {
			t.Errorf("%v\n%s", err, s.said(t))
		}
		os.Unsetenv("CNET_LOCK_TIMEOUT")
		_, stderr, code = cnet(t, "exec", "web", "--", "true")
		if code != 3 {
			t.Errorf("exec after it: exit code %d\n%s", code, stderr)
		}
		must(t, "check")
	})
}

// A program inside a container holds no lock.
func TestExecHoldsNoLock(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		must(t, "create", "web")
		inside := []*exec.Cmd{
			command(t, "exec", "web", "--", "sleep", "600"), command(t, "shell", "web"),
			command(t, "exec", "web", "--", "cnet", "serve", "--addr", ":80"),
		}
		for _, cmd := range inside {
			cmd := cmd
			stdin, err := cmd.StdinPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() { stdin.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() }()
		}
		must(t, "create", "db", "--lock-timeout", "0")
		must(t, "delete", "db", "--lock-timeout", "0")
	})
}

// Another program that keeps the lock of iptables for a while is waited for. If
// it keeps it too long the change is taken back, and the program named.
func TestXtablesLock(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		useMake(t, makes["legacy"])
		must(t, "create", "web", "--publish", "8080:80")
		before, files := hosttest.Snapshot(t), cnetFiles(t)
		f := lockFile(t, "/run/xtables.lock")
		for _, typed := range []string{"publish web 81:80", "create db --publish 82:80", "unpublish web", "delete web", "network create six --ipv6"} {
			for _, wait := range []string{"0", "1s"} {
				_, stderr, code := cnet(t, append(strings.Fields(typed), "--lock-timeout", wait)...)
				if says := fmt.Sprintf("pid %d (", os.Getpid()); code != 5 || !saysAny(stderr, says) || !saysAny(stderr, "/run/xtables.lock; rolled back") {
					t.Errorf("cnet %s: exit code %d, want it to say %q\n%s", typed, code, says, stderr)
				}
				unchanged(t, before, files)
			}
		}
		must(t, "check")
		time.AfterFunc(time.Second, func() { f.Close() })
		must(t, "publish", "web", "81:80")
		must(t, "check")
	})
}
