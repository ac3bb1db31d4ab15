package proc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/internal/topology"
)

// grace is how long processes have to end by themselves after SIGTERM, and to
// be gone after SIGKILL.
const grace = 2 * time.Second

// End ends what was started in a container, with all of each process's session,
// and removes records, logs and then empty folders. Processes get SIGTERM and,
// after two seconds or when ctx ends, SIGKILL. What has ended by itself, or in
// an earlier boot, only loses its record and log. If a container of that name is
// there again, what runs in its namespace stays.
func End(ctx context.Context, container string, again bool) error {
	list, err := List(container)
	if err != nil {
		return err
	}
	if now := netns(topology.NetnsPath(container)); again && now != 0 {
		list = slices.DeleteFunc(list, func(p Process) bool { return p.Netns == now })
	}
	var running []pidfd
	for _, p := range list {
		running = append(running, p.open()...)
	}
	defer func() {
		for _, fd := range running {
			unix.Close(int(fd))
		}
	}()
	left, err := end(ctx, running)
	if err != nil {
		return fmt.Errorf("end what runs in %s: %w", container, err)
	}
	if len(left) > 0 {
		return fmt.Errorf("end what runs in %s: %d of its processes do not end", container, len(left))
	}
	return forget(container, list)
}

// pidfd is a process held by a file descriptor, which no later process of the
// same number takes over (pidfd_open(2)).
type pidfd int

// open holds the process and what else is in its session. Where the process itself
// has ended, that is who is in its container too: the number is not given again
// while the session has it, and may have been since.
func (p Process) open() (fds []pidfd) {
	boot, err := bootID()
	if err != nil || boot != p.Boot {
		return nil
	}
	leader, err := readStat(p.PID)
	if err == nil && !p.is(leader) {
		return nil // a later process has its number, so the session is gone
	}
	ended := err != nil
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if fd, ok := hold(pid, func(s stat) bool {
			return s.session == p.PID && (!ended || netns(fmt.Sprintf("/proc/%d/ns/net", pid)) == p.Netns)
		}); ok {
			fds = append(fds, fd)
		}
	}
	return fds
}

// hold opens a process if it is the one meant, which is looked at while it is
// held. This process itself, which may run in a container, is never meant.
func hold(pid int, meant func(stat) bool) (pidfd, bool) {
	if s, err := readStat(pid); err != nil || !meant(s) || pid == os.Getpid() {
		return 0, false
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return 0, false
	}
	if s, err := readStat(pid); err != nil || !meant(s) {
		unix.Close(fd)
		return 0, false
	}
	return pidfd(fd), true
}

// end asks the processes to end, then makes them. It returns those that remain.
func end(ctx context.Context, left []pidfd) ([]pidfd, error) {
	for _, s := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		for _, fd := range left {
			err := unix.PidfdSendSignal(int(fd), s, nil, 0)
			if err != nil && !errors.Is(err, unix.ESRCH) {
				return left, fmt.Errorf("send %s: %w", unix.SignalName(s), err)
			}
		}
		var err error
		if left, err = wait(ctx, left); err != nil || len(left) == 0 {
			return left, err
		}
		ctx = context.WithoutCancel(ctx) // SIGKILL is waited for in any case
	}
	return left, nil
}

// wait waits until the processes have ended, or for the grace, or until ctx
// ends. It returns those that remain.
func wait(ctx context.Context, left []pidfd) ([]pidfd, error) {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	over, enough, err := os.Pipe()
	if err != nil {
		return left, err
	}
	defer over.Close()
	defer enough.Close()
	defer context.AfterFunc(ctx, func() { enough.Close() })()
	for len(left) > 0 {
		// A pidfd can be read once its process has ended, the pipe once it is closed.
		files := []unix.PollFd{{Fd: int32(over.Fd()), Events: unix.POLLIN}}
		for _, fd := range left {
			files = append(files, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
		}
		if _, err := unix.Poll(files, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return left, err
		}
		left = nil
		for _, f := range files[1:] {
			if f.Revents == 0 {
				left = append(left, pidfd(f.Fd))
			}
		}
		if files[0].Revents != 0 {
			break
		}
	}
	return left, nil
}

// Forget removes the record and the log of a process that has ended.
func Forget(p Process) error { return forget(p.Container, []Process{p}) }

// forget removes the files of processes, and then empty folders.
func forget(container string, list []Process) error {
	var errs []error
	for _, p := range list {
		for _, file := range []string{p.Log, p.file()} {
			if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, fmt.Errorf("forget a process of %s: %w", container, err))
			}
		}
	}
	for _, dir := range []string{filepath.Join(recordDir, container), recordDir, logDir} {
		os.Remove(dir) // fails, as it should, where something is left
	}
	return errors.Join(errs...)
}
