// Package hosttest runs tests on the real kernel without touching the machine:
// each in a sandbox of its own, with no links but lo, as root or not.
//
//	func TestMain(m *testing.M) { hosttest.Main(m) }
//
//	func TestBridge(t *testing.T) {
//		hosttest.Run(t, func(t *testing.T) { ... })
//	}
package hosttest

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/sandbox"
)

// inside is set in the environment of a test that runs in its sandbox.
const inside = "CNET_HOSTTEST"

// Main is the TestMain of a package whose tests call [Run]. Its benchmarks run in
// a sandbox too; when any are asked for (go test -bench), no tests are run.
func Main(m *testing.M) { os.Exit(Code(m)) }

// Code is [Main] for who has more to do before the end: it returns the exit code.
func Code(m *testing.M) int {
	if os.Getenv(inside) != "" {
		if err := sandbox.Init(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return int(fail.KindOf(err))
		}
	}
	// A binary with the race detector sleeps a second before it exits; that of
	// the many that tests start adds up. What GORACE says already comes after.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	flag.Parse()
	if os.Getenv(inside) == "" && flag.Lookup("test.bench").Value.String() != "" {
		return benchmarks()
	}
	return m.Run()
}

// benchmarks runs the benchmarks that are asked for, all in one sandbox, and no
// tests: those want a sandbox each.
func benchmarks() int {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := Command(append(os.Args[1:len(os.Args):len(os.Args)], "-test.run=^$")...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, sandbox.Explain(err))
		return int(fail.KindOf(sandbox.Explain(err)))
	}
	return 0
}

// Run runs fn in a sandbox of its own: it starts this test, and no other, once
// more in a new sandbox. What a test does before Run it therefore does twice.
// A test calls Run once, as its last statement; subtests may each call it. Where
// the machine does not let this user make a sandbox, the test is skipped.
func Run(t *testing.T, fn func(t *testing.T)) {
	t.Helper()
	if os.Getenv(inside) != "" {
		fn(t)
		return
	}
	out, err := again(t)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == int(fail.NotPermitted):
		t.Skip(out)
	case errors.As(err, &exit):
		t.Fatal(out)
	case err != nil && fail.KindOf(sandbox.Explain(err)) == fail.NotPermitted:
		t.Skip(sandbox.Explain(err))
	case err != nil:
		t.Fatal(sandbox.Explain(err))
	case strings.Contains(out, "testing: warning: no tests to run"):
		t.Fatalf("%s was not found by its name\n%s", t.Name(), out)
	case strings.Contains(out, "--- SKIP: "+t.Name()+" "):
		t.Skip(out)
	case out != "":
		t.Log(out)
	}
}

// again runs the test binary for the test t alone, in a new sandbox.
func again(t *testing.T) (string, error) {
	// The sandbox ends with the thread that starts it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out, err := Command(arguments(t)...).CombinedOutput()
	return tidy(string(out)), err
}

// Command is this test binary with these arguments, to be started in a new
// sandbox by a thread that stays locked until it ends.
func Command(args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = os.Args[0]
	// A process with the race detector else sleeps a second at its end.
	cmd.Env = append([]string{"GORACE=atexit_sleep_ms=0"}, append(os.Environ(), inside+"=1")...)
	cmd.SysProcAttr = sandbox.SysProcAttr()
	return cmd
}

func arguments(t *testing.T) []string {
	parts := strings.Split(t.Name(), "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	args := []string{"-test.run=" + strings.Join(parts, "/"), "-test.v", "-test.count=1"}
	if deadline, ok := t.Deadline(); ok {
		// A little earlier than here, so that its stacks are in our output.
		args = append(args, fmt.Sprintf("-test.timeout=%s", time.Until(deadline)-2*time.Second))
	}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	// Counters written to the same folder are merged into one profile.
	if dir := flag.Lookup("test.gocoverdir"); dir != nil && dir.Value.String() != "" {
		args = append(args, "-test.gocoverdir="+dir.Value.String())
	}
	return args
}

// tidy leaves out what the test binary says of itself.
func tidy(out string) string {
	var keep []string
	for _, line := range strings.Split(out, "\n") {
		switch {
		case strings.HasPrefix(line, "=== "), line == "PASS", line == "FAIL",
			strings.HasPrefix(line, "coverage: "), strings.HasPrefix(line, "--- PASS"):
		default:
			keep = append(keep, line)
		}
	}
	return strings.TrimSpace(strings.Join(keep, "\n"))
}
