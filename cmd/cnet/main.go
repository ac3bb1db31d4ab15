// Command cnet builds container networking on one host from scratch and in the open.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/cnetlab/cnet/internal/cli"
	"github.com/cnetlab/cnet/internal/sandbox"
	"github.com/cnetlab/cnet/internal/world"
)

// The main goroutine stays on the main thread, whose namespace /proc/net and a
// later execve show (namespaces(7)).
func init() { runtime.LockOSThread() }

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // a command is short: memory is cheaper than collecting it
	}
	sandbox.Main(func(ctx context.Context) error {
		_, err := world.Build(ctx)
		return err
	})
	// Who stops reading (cnet … | head) does not stop a change in the middle: the
	// write fails, and no signal ends cnet. An ignored signal would be inherited.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ends := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	defer stop()
	os.Exit(cli.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
