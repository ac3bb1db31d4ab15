package proc

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Follow copies what a process writes to its log, from where f stands, until the
// process has ended or ctx ends (inotify(7)).
func Follow(ctx context.Context, p Process, f *os.File, to io.Writer) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return err
	}
	changes := os.NewFile(uintptr(fd), "inotify")
	defer changes.Close()
	if _, err := unix.InotifyAddWatch(fd, p.Log, unix.IN_MODIFY|unix.IN_CLOSE_WRITE|unix.IN_DELETE_SELF|unix.IN_ATTRIB); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = changes.SetReadDeadline(time.Unix(1, 0)) })()
	buf := make([]byte, 4096)
	for {
		runs := p.Runs()
		if _, err := io.Copy(to, f); err != nil || !runs {
			return err
		}
		if _, err := changes.Read(buf); ctx.Err() != nil {
			return nil
		} else if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}

// Age is for how long a process that runs has been running, in whole seconds.
func (p Process) Age() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0
	}
	const ticks = 100 // a second, for user space (USER_HZ, time(7))
	return max(0, time.Duration(uint64(now.Sec)-p.Started/ticks)*time.Second)
}
