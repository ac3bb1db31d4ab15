package proc

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/internal/inside"
	"github.com/cnetlab/cnet/internal/store"
)

func TestMain(m *testing.M) { hosttest.Main(m) }

func TestStartAndEnd(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		first := start(t, "web", "sh", "-c", "echo started; sleep 100 & sleep 100")
		second := start(t, "web", "sleep", "100")
		other := start(t, "db", "sleep", "100")

		list, err := List("web")
		if err != nil || len(list) != 2 || list[0].PID != first.PID || list[1].PID != second.PID {
			t.Fatalf("List = %v, %v", list, err)
		}
		waitFor(t, "the log", func() bool {
			log, _ := os.ReadFile(first.Log)
			return string(log) == "started\n"
		})
		modes(t, map[string]os.FileMode{
			first.Log: 0o600, first.file(): 0o644, recordDir: 0o755 | os.ModeDir, logDir: 0o755 | os.ModeDir,
		})

		if err := End(context.Background(), "web", false); err != nil {
			t.Fatal(err)
		}
		if first.Runs() || second.Runs() || !other.Runs() {
			t.Errorf("running: %v %v, of another container %v", first.Runs(), second.Runs(), other.Runs())
		}
		if names, err := Containers(); err != nil || strings.Join(names, " ") != "db" {
			t.Errorf("Containers = %q, %v", names, err)
		}
		if err := End(context.Background(), "db", false); err != nil {
			t.Fatal(err)
		}
		if left, _ := os.ReadDir(store.RunDir); len(left) > 0 {
			t.Errorf("left in %s: %v", store.RunDir, left)
		}
		if running := hosttest.Host(t, "sh", "-c", "grep -l '^State:.[^Z]' $(grep -l '^Name:.sleep' /proc/[0-9]*/status) || true"); running != "" {
			t.Errorf("a child was left behind: %s", running)
		}
	})
}

func TestEndInsists(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		p := start(t, "web", "sh", "-c", `trap "" TERM; echo ready; while :; do sleep 100; done`)
		waitFor(t, "the trap", func() bool {
			log, _ := os.ReadFile(p.Log)
			return len(log) > 0
		})
		begin := time.Now()
		if err := End(context.Background(), "web", false); err != nil || p.Runs() {
			t.Fatalf("End = %v, runs %v", err, p.Runs())
		}
		if took := time.Since(begin); took < grace {
			t.Errorf("SIGKILL came after %s, before the grace of %s was over", took, grace)
		}
	})
}

func TestEndHurriesWhenInterrupted(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		p := start(t, "web", "sh", "-c", `trap "" TERM; echo ready; while :; do sleep 100; done`)
		waitFor(t, "the trap", func() bool {
			log, _ := os.ReadFile(p.Log)
			return len(log) > 0
		})
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		begin := time.Now()
		if err := End(ctx, "web", false); err != nil || p.Runs() {
			t.Fatalf("End = %v, runs %v", err, p.Runs())
		}
		if took := time.Since(begin); took >= grace {
			t.Errorf("it took %s", took)
		}
	})
}

// A number that was given to another process must not end that one.
func TestEndSparesOthers(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		p := start(t, "web", "sleep", "100")
		for name, change := range map[string]func(*Process){
			"start time": func(p *Process) { p.Started++ },
			"boot":       func(p *Process) { p.Boot = "another" },
		} {
			stale := p
			change(&stale)
			if stale.Runs() || len(stale.open()) > 0 {
				t.Errorf("a process of another %s is taken for ours", name)
			}
		}
		if err := End(context.Background(), "web", false); err != nil || p.Runs() {
			t.Errorf("End = %v, runs %v", err, p.Runs())
		}
	})
}

// What a process leaves in its container when it ends, ends with the container; what
// is elsewhere in a session of that number is another's.
func TestEndWithoutLeader(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		hosttest.Host(t, "ip", "netns", "add", "web")
		p := start(t, "web", "sh", "-c", "sleep 100 & exec sleep 0.5")
		if _, err := unix.Wait4(p.PID, nil, 0, nil); err != nil {
			t.Fatal(err)
		}
		stranger := p
		stranger.Netns++
		if fds := stranger.open(); len(fds) > 0 {
			t.Errorf("%d processes of another namespace are taken for ours", len(fds))
		}
		if fds := p.open(); len(fds) != 1 {
			t.Errorf("%d processes are left behind", len(fds))
		}
		if err := End(context.Background(), "web", false); err != nil || len(p.open()) > 0 {
			t.Errorf("End = %v", err)
		}
	})
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		for program, code := range map[string]fail.Kind{"no-such-program": inside.NoProgram, "/etc/passwd": inside.CannotRun} {
			if _, err := Start("web", []string{program}, How{}); fail.KindOf(err) != code {
				t.Errorf("Start %s: %v, want code %d", program, err, code)
			}
		}
		script := t.TempDir() + "/script"
		if err := os.WriteFile(script, []byte("#!/nowhere\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := Start("web", []string{script}, How{}); fail.KindOf(err) != inside.CannotRun {
			t.Errorf("Start of a script without interpreter: %v", err)
		}
		if left, _ := os.ReadDir(logDir); len(left) > 0 {
			t.Errorf("logs of nothing: %v", left)
		}
	})
}

func TestReadStat(t *testing.T) {
	s, err := readStat(os.Getpid())
	if err != nil || s.started == 0 || s.state == "" {
		t.Errorf("readStat = %+v, %v", s, err)
	}
}

func start(t *testing.T, container string, argv ...string) Process {
	t.Helper()
	p, err := Start(container, argv, How{})
	if err != nil {
		t.Fatal(err)
	}
	if !p.Runs() {
		t.Fatalf("%v does not run", argv)
	}
	return p
}

func modes(t *testing.T, want map[string]os.FileMode) {
	t.Helper()
	for path, mode := range want {
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v %v, want %v", path, info.Mode(), err, mode)
		}
	}
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come", what)
		}
	}
}
