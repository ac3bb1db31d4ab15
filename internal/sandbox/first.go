package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/inside"
	"golang.org/x/sys/unix"
)

const (
	marker    = "CNET_SANDBOX_FIRST" // tells process 1 that it is that
	within    = "CNET_SANDBOX"       // tells all others that they are in a sandbox
	signalsFD = 3
	reportFD  = 4
)

// Inside reports whether this process runs in a sandbox.
func Inside() bool { return os.Getenv(within) != "" }

// Main is process 1 of a sandbox that [Run] started, and then does not return.
// In any other process it does nothing. A program that uses [Run] calls it
// before anything else. If a world is asked for, build makes it; what it leaves
// running in this process lives as long as the sandbox.
func Main(build func(context.Context) error) {
	role := os.Getenv(marker)
	if role == "" || os.Getpid() != 1 {
		return
	}
	os.Unsetenv(marker)
	if role != "world" {
		build = nil
	}
	os.Exit(first(build))
}

// first sets the sandbox up, starts the command and looks after it.
func first(build func(context.Context) error) (code int) {
	signals, report := os.NewFile(signalsFD, "signals"), os.NewFile(reportFD, "report")
	unix.CloseOnExec(signalsFD)
	unix.CloseOnExec(reportFD)
	// Nobody reads the channel. The signals of the terminal are for the command;
	// process 1 only must not end of them.
	signal.Notify(make(chan os.Signal, 1), asking...)

	pid, err := begin(os.Args[1:], build)
	if err != nil {
		writeReport(report, err)
		return 1
	}
	report.Close()
	go obey(signals, pid)
	return reap(pid)
}

func begin(args []string, build func(context.Context) error) (pid int, err error) {
	if err := Init(); err != nil {
		return 0, err
	}
	if err := loopbackUp(); err != nil {
		return 0, Explain(err)
	}
	if err := os.Setenv(within, "1"); err != nil {
		return 0, err
	}
	if err := offerSelf(); err != nil {
		return 0, err
	}
	if build != nil {
		if err := build(context.Background()); err != nil {
			return 0, err
		}
	}
	if len(args) == 0 {
		if args, err = shell(); err != nil {
			return 0, err
		}
	}
	return start(args)
}

func start(args []string) (pid int, err error) {
	attr := &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{}}
	lead(args, attr.Sys)
	path, err := exec.LookPath(args[0])
	if err == nil {
		pid, err = syscall.ForkExec(path, args, attr)
	}
	switch {
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist):
		return 0, fail.New(inside.NoProgram, "run "+args[0], "there is no such program: %w", err)
	case err != nil:
		return 0, fail.New(inside.CannotRun, "run "+args[0], "%w", err)
	}
	return pid, nil
}

// obey sends the signals that come in to the command. The end of the pipe is
// the end of the process that started the sandbox.
func obey(signals io.Reader, pid int) {
	b := make([]byte, 1)
	for {
		if _, err := io.ReadFull(signals, b); err != nil {
			os.Exit(1)
		}
		_ = unix.Kill(pid, syscall.Signal(b[0]))
	}
}

// reap waits for the command, and for every orphan meanwhile: all of them
// become children of process 1.
func reap(command int) (code int) {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 1
		case pid == command:
			return exitCode(syscall.WaitStatus(status))
		}
	}
}

// loopbackUp brings lo up: netdevice(7).
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}

// told is a failure as it crosses the pipe.
type told struct {
	Kind            fail.Kind
	What, Why, Next string
}

func writeReport(w io.Writer, err error) {
	t := told{Kind: fail.KindOf(err), Why: err.Error()}
	var f *fail.Error
	if errors.As(err, &f) {
		t.What, t.Why, t.Next = f.What, f.Why, f.Next
	}
	_ = json.NewEncoder(w).Encode(t)
}

// readReport returns the failure of process 1, nil once the command runs.
func readReport(r io.Reader) error {
	var t told
	if err := json.NewDecoder(r).Decode(&t); err != nil {
		return nil
	}
	return &fail.Error{Kind: t.Kind, What: t.What, Why: t.Why, Next: t.Next}
}
