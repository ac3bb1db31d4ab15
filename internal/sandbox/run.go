package sandbox

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Options say what runs in a sandbox.
type Options struct {
	World bool     // with an uplink and an outside, as the build function of [Main] makes them
	Args  []string // the command and its arguments; none is a shell
	Env   []string // its environment; nil is that of this process

	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Run runs a command in a new sandbox and returns its exit code, 128 and the
// signal's number if a signal ended it. What the command leaves running ends with
// it. The signals that ask this process to end go to the command instead; when
// ctx ends, the sandbox is killed. Errors are those of making the sandbox, in
// words: where the machine does not allow it they are of kind fail.NotPermitted.
//
// The program must call [Main] first of all.
func Run(ctx context.Context, o Options) (code int, err error) {
	runtime.LockOSThread() // see SysProcAttr
	defer runtime.UnlockOSThread()
	p, err := openPipes()
	if err != nil {
		return 0, err
	}
	defer p.close()
	cmd := command(ctx, o, p)
	defer keepTerminal()()
	defer forward(p.signals)()
	if err := cmd.Start(); err != nil {
		return 0, Explain(err)
	}
	p.handedOver()
	problem := readReport(p.report)
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case problem != nil:
		return 0, problem
	case cmd.ProcessState == nil:
		return 0, err
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	return exitCode(cmd.ProcessState.Sys().(syscall.WaitStatus)), nil
}

// command is this program once more, as process 1 of a new sandbox.
func command(ctx context.Context, o Options, p *pipes) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", o.Args...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = o.Env
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	role := "plain"
	if o.World {
		role = "world"
	}
	cmd.Env = append(cmd.Env, marker+"="+role)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = o.Stdin, o.Stdout, o.Stderr
	cmd.ExtraFiles = []*os.File{p.theirSignals, p.theirReport} // signalsFD, reportFD
	cmd.SysProcAttr = SysProcAttr()
	cmd.WaitDelay = time.Second // for a reader that never ends
	return cmd
}

// pipes join the two sides: signals go in, the failure to set up comes out.
type pipes struct {
	signals, theirSignals *os.File
	report, theirReport   *os.File
}

func openPipes() (*pipes, error) {
	var p pipes
	var err error
	if p.theirSignals, p.signals, err = os.Pipe(); err != nil {
		return nil, err
	}
	if p.report, p.theirReport, err = os.Pipe(); err != nil {
		p.theirSignals.Close()
		p.signals.Close()
		return nil, err
	}
	return &p, nil
}

// handedOver closes the ends that process 1 has by now.
func (p *pipes) handedOver() {
	p.theirSignals.Close()
	p.theirReport.Close()
}

func (p *pipes) close() {
	p.handedOver()
	p.signals.Close()
	p.report.Close()
}

// forward hands the signals that this process gets to the sandbox. What the
// user types at the terminal reaches the command without us.
func forward(to *os.File) (stop func()) {
	caught := make(chan os.Signal, 8)
	signal.Notify(caught, asking...)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-caught:
				typed := s == unix.SIGINT || s == unix.SIGQUIT
				if n, ok := s.(syscall.Signal); ok && !(typed && inForeground()) {
					_, _ = to.Write([]byte{byte(n)})
				}
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(caught)
		close(done)
	}
}

// asking are the signals that ask a process for something.
var asking = []os.Signal{unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2}

func exitCode(s syscall.WaitStatus) int {
	if s.Signaled() {
		return 128 + int(s.Signal())
	}
	return s.ExitStatus()
}
