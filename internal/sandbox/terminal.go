package sandbox

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// foreground returns the process group that the terminal of this process
// belongs to, and the terminal; ok is false without a terminal.
func foreground() (tty *os.File, group int, ok bool) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, 0, false
	}
	group, err = unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	if err != nil {
		tty.Close()
		return nil, 0, false
	}
	return tty, group, true
}

// inForeground reports whether what the user types is for this process, and
// with it for all of its process group.
func inForeground() bool {
	tty, group, ok := foreground()
	if ok {
		tty.Close()
	}
	return ok && group == unix.Getpgrp()
}

// keepTerminal returns a function that takes the terminal back, if it was ours,
// from a shell that has ended.
func keepTerminal() (restore func()) {
	if !inForeground() {
		return func() {}
	}
	return func() {
		tty, group, ok := foreground()
		if !ok {
			return
		}
		defer tty.Close()
		if group == unix.Getpgrp() {
			return
		}
		// Who takes the terminal from the background is stopped, unless it does not listen.
		signal.Ignore(unix.SIGTTOU)
		defer signal.Reset(unix.SIGTTOU)
		_ = unix.IoctlSetPointerInt(int(tty.Fd()), unix.TIOCSPGRP, unix.Getpgrp())
	}
}
