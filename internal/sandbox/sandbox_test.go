package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/inside"
	"github.com/cnetlab/cnet/internal/sandbox"
)

// As the program of a child, the test binary runs a sandbox and nothing else.
const door = "CNET_TEST_DOOR"

func TestMain(m *testing.M) {
	os.Setenv("GORACE", "atexit_sleep_ms=0") // a child with the race detector would linger
	sandbox.Main(func(context.Context) error { return os.WriteFile("/run/built", nil, 0o644) })
	if os.Getenv(door) != "" {
		os.Unsetenv(door)
		code, err := sandbox.Run(context.Background(), sandbox.Options{
			Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = int(fail.KindOf(err))
		}
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// run runs a script in a sandbox; a machine that allows none skips the test.
func run(t *testing.T, o sandbox.Options, script string) (code int, out string) {
	t.Helper()
	var b bytes.Buffer
	o.Args, o.Stdout, o.Stderr = []string{"sh", "-c", script}, &b, &b
	code, err := sandbox.Run(context.Background(), o)
	skipIfRefused(t, err)
	if err != nil {
		t.Fatal(err)
	}
	return code, b.String()
}

func skipIfRefused(t *testing.T, err error) {
	t.Helper()
	if err != nil && fail.KindOf(err) == fail.NotPermitted {
		t.Skip(err)
	}
}

func TestExitCode(t *testing.T) {
	for script, want := range map[string]int{
		"true": 0, "exit 1": 1, "exit 8": 8, "exit 255": 255,
		"kill -TERM $$": 143, "kill -KILL $$": 137,
		"sleep 1000 & exit 3": 3, // what is left running ends, too
	} {
		script, want := script, want
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			if code, out := run(t, sandbox.Options{}, script); code != want || out != "" {
				t.Errorf("exit code %d, want %d\n%s", code, want, out)
			}
		})
	}
}

func TestInside(t *testing.T) {
	t.Setenv("CNET_TEST_PASSED_ON", "yes")
	for _, c := range []struct{ name, script, want string }{
		{"no links but lo", "ls /sys/class/net", "lo\n"},
		{"lo is up", "cat /sys/class/net/lo/carrier", "1\n"},
		{"root", "id -u", "0\n"},
		{"processes of its own", "echo $$ $PPID", "[0-9]* 1\n"},
		{"empty run", "ls /run", "cnet-sandbox\n"},
		{"private etc", "echo x > /etc/cnet-test && cat /etc/cnet-test", "x\n"},
		{"no name servers", "grep -c nameserver /etc/resolv.conf", "0\n"},
		{"environment", "echo $CNET_TEST_PASSED_ON $CNET_SANDBOX $CNET_SANDBOX_FIRST", "yes 1\n"},
		{"no descriptors of ours", "[ -e /proc/$$/fd/3 ] || [ -e /proc/$$/fd/4 ] || echo none", "none\n"},
		{"finds this program", "readlink -f \"$(command -v cnet)\" | grep -c . ", "1\n"},
		{"no world", "ls /run/built 2>&1 | grep -c cannot", "1\n"},
	} {
		c := c
		t.Run(c.name, func(t *testing.T) {
			_, out := run(t, sandbox.Options{}, c.script)
			if ok, _ := path.Match(c.want, out); !ok {
				t.Errorf("%s\ngot  %q\nwant %q", c.script, out, c.want)
			}
		})
	}
	if _, err := os.Stat("/etc/cnet-test"); err == nil {
		t.Error("what was written to /etc is on the machine")
	}
}

func TestWorldIsBuilt(t *testing.T) {
	if code, out := run(t, sandbox.Options{World: true}, "ls /run/built"); code != 0 {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestInput(t *testing.T) {
	code, out := run(t, sandbox.Options{Stdin: strings.NewReader("hello\n")}, "read a; echo got $a")
	if code != 0 || out != "got hello\n" {
		t.Errorf("%d %q", code, out)
	}
}

func TestShellReadsScript(t *testing.T) {
	t.Setenv("SHELL", "/bin/sh")
	var out bytes.Buffer
	code, err := sandbox.Run(context.Background(), sandbox.Options{
		Stdin: strings.NewReader("ls /sys/class/net\nexit 5\n"), Stdout: &out, Stderr: &out,
	})
	skipIfRefused(t, err)
	if err != nil || code != 5 || out.String() != "lo\n" {
		t.Errorf("%d %v %q", code, err, &out)
	}
}

func TestNoSuchProgram(t *testing.T) {
	_, err := sandbox.Run(context.Background(), sandbox.Options{Args: []string{"no-such-program"}})
	skipIfRefused(t, err)
	if fail.KindOf(err) != inside.NoProgram || !strings.Contains(fmt.Sprint(err), "no such program") {
		t.Errorf("%v, kind %d", err, fail.KindOf(err))
	}
}

func TestContextEnds(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, err := sandbox.Run(ctx, sandbox.Options{Args: []string{"sleep", "1000"}})
	skipIfRefused(t, err)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// TestNested: a sandbox may hold another.
func TestNested(t *testing.T) {
	script := door + `=1 "$(readlink -f "$(command -v cnet)")" sh -c 'exit 6'`
	if code, out := run(t, sandbox.Options{}, script); code != 6 {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// start starts a sandbox from a process of its own.
func start(t *testing.T, tag string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), door+"=1", "CNET_TEST_TAG="+tag)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd
}

func TestSignals(t *testing.T) {
	for _, c := range []struct {
		signal syscall.Signal
		code   int
	}{{syscall.SIGTERM, 11}, {syscall.SIGINT, 12}, {syscall.SIGHUP, 13}, {syscall.SIGUSR1, 14}} {
		c := c
		t.Run(c.signal.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			needSandbox(t)
			ready := filepath.Join(dir, "ready")
			cmd := start(t, ready, "sh", "-c", `
				trap 'exit 11' TERM; trap 'exit 12' INT; trap 'exit 13' HUP; trap 'exit 14' USR1
				: > `+ready+`; while :; do sleep 0.01; done`)
			waitFor(t, "the command runs", func() bool { _, err := os.Stat(ready); return err == nil })
			cmd.Process.Signal(c.signal)
			cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != c.code {
				t.Errorf("exit code %d, want %d", got, c.code)
			}
		})
	}
}

// TestKilled: when the process that made it is killed, a sandbox ends.
func TestKilled(t *testing.T) {
	needSandbox(t)
	tag := filepath.Join(t.TempDir(), "tag")
	cmd := start(t, tag, "sh", "-c", "sleep 1000 & setsid sleep 1000 & : > "+tag+"; wait")
	waitFor(t, "the command runs", func() bool { _, err := os.Stat(tag); return err == nil })
	if n := len(tagged(tag)); n < 4 {
		t.Fatalf("%d processes, want at least 4", n)
	}
	cmd.Process.Kill()
	cmd.Wait()
	waitFor(t, "all processes end", func() bool { return len(tagged(tag)) == 0 })
}

// TestNothingLeft compares the machine before and after.
func TestNothingLeft(t *testing.T) {
	needSandbox(t)
	tag := filepath.Join(t.TempDir(), "tag")
	t.Setenv("CNET_TEST_TAG", tag)
	t.Setenv("TMPDIR", t.TempDir())
	mounts, files := readMounts(t), list(t, os.TempDir())
	if code, out := run(t, sandbox.Options{World: true}, `mkdir /run/netns; unshare -n sh -c 'touch /run/netns/a; mount --bind /proc/self/ns/net /run/netns/a'
		sleep 1000 & setsid sleep 1000 & exit 0`); code != 0 {
		t.Fatal(out)
	}
	for _, p := range tagged(tag) {
		if p != os.Getpid() {
			t.Errorf("process %d is left", p)
		}
	}
	if after := readMounts(t); after != mounts {
		t.Errorf("mounts before\n%s\nafter\n%s", mounts, after)
	}
	if after := list(t, os.TempDir()); len(after) != len(files) {
		t.Errorf("files before %v, after %v", files, after)
	}
}

// TestUnprivileged runs the tests once more as a user who is nobody.
func TestUnprivileged(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the other tests run without root already")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The test binary may lie where only root looks.
	dir, err := os.MkdirTemp("", "cnet-sandbox-test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	binary, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "test")
	for _, err := range []error{os.Chmod(dir, 0o755), os.WriteFile(program, binary, 0o755), os.Mkdir(dir+"/tmp", 0o777), os.Chmod(dir+"/tmp", 0o777)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(program, "-test.v", "-test.run=^Test[A-TV-Z]")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME=/nonexistent", "TMPDIR="+dir+"/tmp", "PATH=/usr/bin:/bin")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if strings.Contains(string(out), "--- SKIP") {
		t.Logf("skipped as an ordinary user:\n%s", out)
	}
}

func needSandbox(t *testing.T) {
	t.Helper()
	run(t, sandbox.Options{}, "true")
}

func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain: ", what)
		}
	}
}

// tagged are the processes whose environment holds the tag.
func tagged(tag string) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && bytes.Contains(b, []byte("CNET_TEST_TAG="+tag+"\x00")) {
			pid, _ := strconv.Atoi(strings.Split(f, "/")[2])
			pids = append(pids, pid)
		}
	}
	return pids
}

func readMounts(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func list(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestRefused: a machine without user namespaces is named as what it is. Root
// does not need them; to be refused takes a user.
func TestRefused(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("runs within TestUnprivileged")
	}
	if _, err := exec.LookPath("setpriv"); err != nil {
		t.Skip(err)
	}
	code, out := run(t, sandbox.Options{}, `echo 0 > /proc/sys/user/max_user_namespaces
		`+door+`=1 setpriv --bounding-set -all "$(readlink -f "$(command -v cnet)")" true`)
	if code != int(fail.NotPermitted) || !strings.Contains(out, "user.max_user_namespaces is 0") {
		t.Errorf("exit code %d: %s", code, out)
	}
}
