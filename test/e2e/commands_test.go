package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/rogpeppe/go-internal/testscript"
)

// commands are the words that scripts have beside those of testscript.
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"cnet":     cmdCnet,
	"lan":      cmdLAN,
	"sh":       cmdSh,
	"snapshot": cmdSnapshot,
	"until":    cmdUntil,
}

// testKey is where a script's commands find its test.
type testKey struct{}

func test(ts *testscript.TestScript) testing.TB { return ts.Value(testKey{}).(testing.TB) }

// cmdLAN gives the host an uplink, and the LAN an outside and a neighbour.
func cmdLAN(ts *testscript.TestScript, _ bool, _ []string) { lan(test(ts)) }

// cmdSnapshot writes the state of the host's network to a file, sorted.
func cmdSnapshot(ts *testscript.TestScript, _ bool, args []string) {
	lines := canonical(hosttest.Snapshot(test(ts)))
	sort.Strings(lines)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Join(lines, "\n")+"\n"), 0o644))
}

// cmdCnet is cnet. Its exit code can be named: `cnet =4 create web`.
func cmdCnet(ts *testscript.TestScript, neg bool, args []string) {
	want := ""
	if len(args) > 0 && strings.HasPrefix(args[0], "=") {
		want, args = args[0][1:], args[1:]
	}
	err := ts.Exec("cnet", args...)
	got := "0"
	if exit, ok := err.(*exec.ExitError); ok {
		got = exit.ProcessState.String()[len("exit status "):]
	} else if err != nil {
		ts.Fatalf("cnet: %v", err)
	}
	switch {
	case want != "" && want != got:
		ts.Fatalf("exit code %s, not %s", got, want)
	case want == "" && neg == (got == "0"):
		ts.Fatalf("exit code %s", got)
	}
}

// cmdSh runs a file, or one line, with sh -e.
func cmdSh(ts *testscript.TestScript, neg bool, args []string) {
	argv := []string{"-ec", strings.Join(args, " ")}
	if filepath.Ext(args[0]) == ".sh" {
		argv = append([]string{"-e", ts.MkAbs(args[0])}, args[1:]...)
	}
	if err := ts.Exec("sh", argv...); (err != nil) != neg {
		ts.Fatalf("sh: %v", err)
	}
}

// cmdUntil repeats a command until it succeeds: a server has to come up first.
func cmdUntil(ts *testscript.TestScript, _ bool, args []string) {
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := ts.Exec(args[0], args[1:]...)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("it never succeeded: %v", err)
		}
	}
}
