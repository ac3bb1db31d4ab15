package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// quickVariable names the folder of a cnet as people build it. Tests start
// thousands; this binary as cnet, with the race detector, takes ten times as long.
const quickVariable = "CNET_E2E_QUICK"

// build builds cnet once for all tests, and returns the func that removes it.
// Without Go, on a machine that has this binary alone, cnet is this binary.
func build() (clean func()) {
	if os.Getenv(quickVariable) != "" { // in a sandbox
		return func() {}
	}
	dir, err := os.MkdirTemp("", "cnet-e2e-")
	if err == nil {
		err = os.Chmod(dir, 0o755) // some tests are other users
	}
	if err == nil {
		os.Setenv(quickVariable, dir)
		err = buildIn(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return func() { os.RemoveAll(dir) }
}

func buildIn(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	path := filepath.Join(dir, "cnet")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/cnetlab/cnet/cmd/cnet")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	fmt.Fprintf(os.Stderr, "go build: %v %s\n", err, out)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return os.Symlink(self, path)
}

// cnetDir is the folder that holds cnet by that name.
func cnetDir(t testing.TB) string {
	t.Helper()
	return os.Getenv(quickVariable)
}

// racedDir makes a folder that holds this binary by the name cnet: where it was
// built with the race detector, that watches.
func racedDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, filepath.Join(dir, "cnet"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
