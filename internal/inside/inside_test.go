package inside_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/internal/inside"
)

// No test goes inside on the main thread, which cannot end and which
// /proc/self shows.
func init() { runtime.LockOSThread() }

func TestMain(m *testing.M) { hosttest.Main(m) }

func TestFind(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "plain"), "text", 0o644)
	write(t, filepath.Join(dir, "script"), "#!/bin/sh\n", 0o755)
	t.Setenv("PATH", dir)
	for _, c := range []struct {
		name string
		code fail.Kind
	}{
		{"script", 0},
		{filepath.Join(dir, "script"), 0},
		{"nothing", inside.NoProgram},
		{filepath.Join(dir, "nothing"), inside.NoProgram},
		{filepath.Join(dir, "plain"), inside.CannotRun},
		{dir, inside.CannotRun},
	} {
		_, err := inside.Find(c.name)
		if (err == nil) != (c.code == 0) || err != nil && fail.KindOf(err) != c.code {
			t.Errorf("Find(%q) = %v, want code %d", c.name, err, c.code)
		}
	}
}

func TestExecSaysWhy(t *testing.T) {
	dir := t.TempDir()
	for content, want := range map[string]string{
		"neither program nor script": "nor a script with a #! line",
		"#!/nowhere\n":               "interpreter",
	} {
		path := filepath.Join(dir, "it")
		write(t, path, content, 0o755)
		err := inside.Exec(path, []string{path})
		if fail.KindOf(err) != inside.CannotRun || !strings.Contains(err.Error(), want) {
			t.Errorf("Exec of %q: %v, want %q and code %d", content, err, want, inside.CannotRun)
		}
	}
}

func TestEnterWithoutNamespace(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		onOwnThread(t, func() {
			_, err := inside.Enter("web")
			if fail.KindOf(err) != fail.Failed || !strings.Contains(err.Error(), "/run/netns/web is not there") {
				t.Errorf("Enter = %v", err)
			}
		})
	})
}

func TestEnter(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		hosttest.Host(t, "ip", "netns", "add", "web")
		dir := filepath.Join(inside.EtcDir, "web")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "hosts"), "127.0.0.1 inside\n", 0o644)
		write(t, filepath.Join(dir, "no-such-file"), "", 0o644)
		before := hosttest.Snapshot(t)

		leak, err := os.Open("/etc/passwd")
		if err != nil {
			t.Fatal(err)
		}
		defer leak.Close()
		onOwnThread(t, func() {
			notes, err := inside.Enter("web")
			if err != nil {
				t.Error(err)
				return
			}
			if len(notes) != 1 || !strings.Contains(notes[0], "/etc/no-such-file") {
				t.Errorf("notes: %q", notes)
			}
			for command, want := range map[string]string{
				"ip netns identify":               "web",
				"cat /etc/hosts":                  "127.0.0.1 inside",
				"ip -br link | wc -l":             "1",
				"ls /proc/self/fd | wc -l":        "4", // the last is ls's own
				"mount -t tmpfs t /mnt && echo y": "y",
			} {
				out, err := exec.Command("sh", "-c", command).CombinedOutput()
				if got := strings.TrimSpace(string(out)); err != nil || got != want {
					t.Errorf("%s: %q %v, want %q", command, got, err, want)
				}
			}
		})
		if after := hosttest.Snapshot(t); after != before {
			t.Error("entering the container changed the host")
		}
		if table, err := os.ReadFile("/proc/self/mountinfo"); err != nil || strings.Contains(string(table), " /mnt ") {
			t.Error("a mount made inside is seen on the host", err)
		}
	})
}

// onOwnThread runs fn on a thread that ends with it.
func onOwnThread(t *testing.T, fn func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	<-done
}

func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}
