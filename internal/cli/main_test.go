package cli

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/cnetlab/cnet/internal/hosttest"
)

// TestMain makes the test's binary cnet itself when it is called by that name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) != "cnet" {
		hosttest.Main(m)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
