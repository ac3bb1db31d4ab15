package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/internal/proc"
)

// host is a sandbox in which the test's binary stands in for cnet: see TestMain.
type host struct{ *testing.T }

func newHost(t *testing.T) host {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(exe, filepath.Join(dir, "cnet")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("GORACE", "atexit_sleep_ms=0") // else the race detector sleeps a second in each process
	return host{t}
}

// cnet runs a command line and returns its standard output and its exit code.
func (h host) cnet(args ...string) (out, errs string, code int) {
	h.Helper()
	return h.input("", args...)
}

func (h host) input(in string, args ...string) (out, errs string, code int) {
	h.Helper()
	cmd := exec.Command("cnet", args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in), &stdout, &stderr
	err := cmd.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		h.Fatal(err)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// must runs a command line that does not fail.
func (h host) must(args ...string) string {
	h.Helper()
	out, errs, code := h.cnet(args...)
	if code != 0 {
		h.Fatalf("cnet %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

func TestExec(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		h := newHost(t)
		h.must("create", "web")
		own, err := os.ReadFile("/etc/netns/web/hosts")
		if err != nil {
			t.Fatal(err)
		}
		script := filepath.Join(t.TempDir(), "script")
		if err := os.WriteFile(script, []byte("#!/nowhere\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			args      string
			out, errs string
			code      int
		}{
			{"web -- cat /etc/hosts", string(own), "", 0},
			{"web cat /etc/hosts", string(own), "", 0},
			{"web -- ip netns identify", "web\n", "", 0},
			{"web -- sh -c exit\t7", "", "", 7},
			{"web -- sh -c kill\t-TERM\t$$", "", "", -1},
			{"web -- printenv CNET_CONTAINER", "web\n", "", 0},
			{"--env A=1 -e B=x=y web -- sh -c echo\t$A\t$B", "1 x=y\n", "", 0},
			{"--workdir /etc web -- pwd", "/etc\n", "", 0},
			{"web -- no-such-program", "", "no such program in $PATH", 127},
			{"web -- /no/such/program", "", "no such file", 127},
			{"web -- /etc/passwd", "", "not marked as executable", 126},
			{"web -- /etc", "", "it is a folder", 126},
			{"web -- " + script, "", "interpreter", 126},
			{"-d web -- no-such-program", "", "no such program in $PATH", 127},
			{"-d web -- " + script, "", "interpreter", 126},
			{"--workdir /no/such web -- pwd", "", "no such file or directory", 3},
			{"nobody -- pwd", "", "there is no such container", 3},
			{"web", "", "name a program", 2},
			{"web --", "", "name a program", 2},
			{"", "", "name a container", 2},
			{"web -d -- pwd", "", "flags stand before", 2},
			{"--env A web -- pwd", "", "NAME=VALUE", 2},
			{"--env =1 web -- pwd", "", "NAME=VALUE", 2},
			{"-o yaml web -- pwd", "", "it goes with -d", 2},
			{"-o xml -d web -- pwd", "", "no such form of output", 2},
		} {
			args := []string{"exec"}
			for _, w := range strings.Fields(strings.ReplaceAll(c.args, "\t", "\x00")) {
				args = append(args, strings.ReplaceAll(w, "\x00", " "))
			}
			out, errs, code := h.cnet(args...)
			if out != c.out || code != c.code || !strings.Contains(strings.Join(strings.Fields(errs), " "), c.errs) {
				t.Errorf("cnet exec %s: exit %d, want %d\nout %q\nwant %q\nerr %q\nwant %q", c.args, code, c.code, out, c.out, errs, c.errs)
			}
		}
	})
}

func TestExecNeedsPrivileges(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		h := newHost(t)
		h.must("create", "web")
		for _, args := range []string{"exec web -- pwd", "exec -d web -- pwd", "shell web", "probe web 127.0.0.1:80"} {
			cmd := exec.Command("setpriv", append([]string{"--bounding-set=-sys_admin", "cnet"}, strings.Fields(args)...)...)
			out, _ := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != 7 || !strings.Contains(string(out), "needs root") {
				t.Errorf("cnet %s: exit %d, want 7: %s", args, code, out)
			}
		}
	})
}

func TestCompletion(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		h := newHost(t)
		h.must("create", "web", "db")
		for args, want := range map[string]string{
			"delete":          "db web",
			"delete db":       "web",
			"inspect":         "db web",
			"connect":         "db web",
			"exec":            "db web",
			"probe":           "db web",
			"load":            "db web",
			"create --share":  "db web",
			"network inspect": "",
			"list":            "",
			"disconnect web":  "",
			"logs":            "db web agent dns edge",
			"ps dns":          "db web agent edge",
			"resolve":         "db web",
			"sidecar detach":  "",
			"edge unroute":    "",
			"service ramp":    "",
		} {
			out := h.must(append(append([]string{"__complete"}, strings.Fields(args)...), "")...)
			words, _, _ := strings.Cut(out, ":")
			if got := strings.Join(strings.Fields(words), " "); got != want {
				t.Errorf("cnet %s TAB: %q, want %q", args, got, want)
			}
		}
	})
}

func TestExecPassesInput(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		h := newHost(t)
		h.must("create", "web")
		if out, errs, code := h.input("hello", "exec", "web", "--", "cat"); out != "hello" || code != 0 {
			t.Errorf("exit %d: %q %q", code, out, errs)
		}
	})
}

func TestShell(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		h := newHost(t)
		h.must("create", "web")
		t.Setenv("SHELL", "/no/such/shell")
		out, errs, code := h.input("ip netns identify; echo $PS1; exit 5", "shell", "web")
		if out != "web\n(web) $\n" || code != 5 {
			t.Errorf("exit %d: %q %q", code, out, errs)
		}
	})
}

// A program in the background answers, is recorded, and ends with its container.
func TestExecDetached(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		h := newHost(t)
		before := hosttest.Snapshot(t)
		h.must("create", "web", "db")
		var started struct {
			PID     int
			Log     string
			Command []string
		}
		out := h.must("exec", "-d", "-o", "json", "web", "--", "cnet", "serve", "--addr", "127.0.0.1:80")
		if err := json.Unmarshal([]byte(out), &started); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		pid := strings.TrimSpace(h.must("exec", "-d", "db", "--", "sleep", "100"))

		answer := h.eventually("probe", "web", "http://localhost/")
		if !strings.Contains(answer, "name     web\n") {
			t.Errorf("the server calls itself: %s", answer)
		}
		if log, err := os.ReadFile(started.Log); err != nil || !strings.HasPrefix(string(log), "web listens on 127.0.0.1:80\n") {
			t.Errorf("log: %q %v", log, err)
		}
		web, db := recorded(t, "web"), recorded(t, "db")
		if web.PID != started.PID || strconv.Itoa(db.PID) != pid || !web.Runs() || !db.Runs() {
			t.Fatalf("records: %+v %+v, printed %d %s", web, db, started.PID, pid)
		}
		h.must("delete", "web", "--dry-run")
		if !web.Runs() {
			t.Error("a dry run ended a process")
		}
		h.must("delete", "web")
		if web.Runs() || !db.Runs() {
			t.Errorf("after delete web: in web %v, in db %v", web.Runs(), db.Runs())
		}
		h.must("reset")
		if db.Runs() {
			t.Error("a process outlived reset")
		}
		if left, err := filepath.Glob("/run/cnet*"); err != nil || len(left) > 0 {
			t.Errorf("left: %v %v", left, err)
		}
		if after := hosttest.Snapshot(t); after != before {
			t.Errorf("the host changed:\n%s\n---\n%s", before, after)
		}
	})
}

func TestProbe(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		h := newHost(t)
		h.must("create", "web")
		h.must("exec", "-d", "web", "--", "cnet", "serve", "--addr", ":80", "--name", "alpha", "--quiet")
		h.eventually("probe", "web", "http://127.0.0.1")
		for _, c := range []struct {
			args string
			out  string
			code int
		}{
			{"web http://127.0.0.1/x", "request  GET /x HTTP/1.1", 0},
			{"web http://127.0.0.1 -o json", `"status": 200`, 0},
			{"web http://127.0.0.1 -o yaml", "status: 200", 0},
			{"web localhost:80", "connected to", 0},
			{"web 127.0.0.1:81", "ECONNREFUSED  ", 1},
			{"web 127.0.0.1:81 -o json", `"errno": "ECONNREFUSED"`, 1},
			{"web 192.0.2.1:80 --timeout 1s", "ENETUNREACH  ", 1},
			{"192.0.2.1:80", "ENETUNREACH  ", 1},
		} {
			out, errs, code := h.cnet(append([]string{"probe"}, strings.Fields(c.args)...)...)
			if code != c.code || !strings.Contains(out, c.out) {
				t.Errorf("cnet probe %s: exit %d, want %d\n%s%s", c.args, code, c.code, out, errs)
			}
		}
	})
}

func TestServeStops(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		newHost(t)
		hosttest.Host(t, "ip", "link", "set", "lo", "up")
		cmd := exec.Command("cnet", "serve", "--addr", "127.0.0.1:0", "--name", "alpha", "--explain")
		var errs bytes.Buffer
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stderr = &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line := make([]byte, 100)
		n, err := out.Read(line)
		if err != nil || !strings.HasPrefix(string(line[:n]), "alpha listens on 127.0.0.1:") {
			t.Errorf("%q %v", line[:n], err)
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("after SIGINT: %v", err)
		}
		if !strings.Contains(errs.String(), "socket(AF_INET") {
			t.Errorf("--explain told:\n%s", errs.String())
		}
	})
}

// eventually repeats a command until it succeeds: a server needs a moment.
func (h host) eventually(args ...string) string {
	h.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		out, errs, code := h.cnet(args...)
		if code == 0 {
			return out
		}
		if time.Now().After(end) {
			h.Fatalf("cnet %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errs)
		}
	}
}

func recorded(t *testing.T, container string) proc.Process {
	t.Helper()
	list, err := proc.List(container)
	if err != nil || len(list) != 1 {
		t.Fatalf("records of %s: %v %v", container, list, err)
	}
	return list[0]
}
