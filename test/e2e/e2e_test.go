// Package e2e tests the whole of cnet on the running kernel, as a person types
// it. The scripts in the folder scripts read as documentation; each runs on a
// host of its own, a sandbox, as root or not.
//
// The test binary is all that is needed elsewhere: `go test -c -o e2e ./test/e2e`
// and run it in a copy of this folder.
package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/cnetlab/cnet/internal/cli"
	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/rogpeppe/go-internal/testscript"
)

// As cmd/cnet does.
func init() {
	if isCnet() {
		runtime.LockOSThread()
	}
}

// isCnet reports whether this binary was started by the name cnet, to be cnet.
func isCnet() bool { return filepath.Base(os.Args[0]) == "cnet" }

func TestMain(m *testing.M) {
	if isCnet() {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		code := cli.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
		stop()
		os.Exit(code)
	}
	clean := build()
	code := hosttest.Code(m)
	clean()
	os.Exit(code)
}

// TestScripts runs each script in a sandbox. `go test -run TestScripts/share`
// runs one; -v shows what it did.
func TestScripts(t *testing.T) { scripts(t, "scripts") }

// TestStories runs the scripts that tell of a subject, by hand and by cnet.
func TestStories(t *testing.T) { scripts(t, "stories") }

func scripts(t *testing.T, dir string) {
	t.Helper()
	t.Parallel()
	files, err := filepath.Glob(dir + "/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts are here: ", err)
	}
	for _, file := range files {
		file := file
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			hosttest.Run(t, func(t *testing.T) { script(t, file) })
		})
	}
}

func script(t *testing.T, file string) {
	t.Helper()
	bin, dir := racedDir(t), t.TempDir()
	path, err := filepath.Abs(file)
	if err == nil {
		err = os.Symlink(path, filepath.Join(dir, filepath.Base(file)))
	}
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Cmds:                commands,
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars, environment(bin)...)
			env.Values[testKey{}] = env.T()
			return nil
		},
	})
}

// cnet runs cnet, in a process of its own, and returns what it printed and its
// exit code.
func cnet(t testing.TB, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, problem bytes.Buffer
	cmd := command(t, args...)
	cmd.Stdout, cmd.Stderr = &out, &problem
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		t.Fatalf("cnet %s: %v", strings.Join(args, " "), err)
	}
	return out.String(), problem.String(), code
}

// must runs cnet, which must succeed, and returns what it printed.
func must(t testing.TB, args ...string) string {
	t.Helper()
	stdout, stderr, code := cnet(t, args...)
	if code != 0 {
		t.Fatalf("cnet %s: exit code %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

// command is a command that runs cnet. Its children find cnet by its name too.
func command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	dir := cnetDir(t)
	cmd := exec.Command(filepath.Join(dir, "cnet"), args...)
	cmd.Env = append(os.Environ(), environment(dir)...)
	return cmd
}

// environment is what cnet, found in the folder dir, runs with. The race
// detector would let every process sleep for a second at its end.
func environment(dir string) []string {
	return []string{
		"PATH=" + dir + string(filepath.ListSeparator) + os.Getenv("PATH"),
		"NO_COLOR=1",
		"GORACE=atexit_sleep_ms=0",
	}
}
