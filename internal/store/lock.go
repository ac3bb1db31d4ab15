package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/cnetlab/cnet/internal/fail"
	"golang.org/x/sys/unix"
)

const lockName = "lock"

// Lock is held by the one process that changes something.
type Lock struct{ file *os.File }

// Lock takes the lock, waiting at most wait for whoever holds it (flock(2)).
// The file tells who that is; what are words for the next to wait.
func (s Store) Lock(ctx context.Context, wait time.Duration, what string) (*Lock, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	path := filepath.Join(s.Run, lockName)
	for {
		f, err := s.openLock(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) {
			if ctx.Err() != nil {
				return nil, locked(path, wait, ctx.Err())
			}
			continue // the last holder is just removing the folder
		}
		if err != nil {
			return nil, fmt.Errorf("take the lock: %w", err)
		}
		if err := flock(ctx, f); err != nil {
			return nil, locked(path, wait, err)
		}
		if current(f, path) {
			l := &Lock{f}
			l.sign(what)
			return l, nil
		}
		f.Close() // the last holder has removed the file: it locks nothing any more
	}
}

// openLock opens the lock file. Its mode is 0600: who can open the file can
// hold the lock.
func (s Store) openLock(path string) (*os.File, error) {
	if err := s.mkdir(s.Run); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
}

// flock takes the lock on f or closes f. The wait is the kernel's; when ctx
// ends first, the waiting goroutine lets go of whatever it still gets.
func flock(ctx context.Context, f *os.File) error {
	got := make(chan error, 1)
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if !errors.Is(err, unix.EWOULDBLOCK) {
		if err != nil {
			f.Close()
		}
		return err
	}
	go func() {
		for {
			err := unix.Flock(int(f.Fd()), unix.LOCK_EX)
			if !errors.Is(err, unix.EINTR) {
				got <- err
				return
			}
		}
	}()
	select {
	case err := <-got:
		if err != nil {
			f.Close()
		}
		return err
	case <-ctx.Done():
		go func() { <-got; f.Close() }()
		return ctx.Err()
	}
}

// current reports whether f is the file at path and not one removed since.
func current(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}

// sign writes who holds the lock, for the message that others get.
func (l *Lock) sign(what string) {
	text := fmt.Sprintf("%s (%s) since %s\n", pid(os.Getpid()), what, time.Now().Format(time.TimeOnly))
	if err := l.file.Truncate(0); err == nil {
		_, _ = l.file.WriteAt([]byte(text), 0) // words for people; the lock is the flock
	}
}

func locked(path string, wait time.Duration, err error) error {
	if errors.Is(err, context.Canceled) {
		return fail.New(fail.Failed, "take the lock", "interrupted: %w", err)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("take the lock: %w", err)
	}
	h := HolderOf(path)
	why, next := h.String()+" holds it", "wait for it, or give --lock-timeout"
	if h.Stopped {
		why, next = h.String()+" holds it and is stopped", fmt.Sprintf("kill -CONT %d, to let it go on", h.PID)
	}
	if wait > 0 {
		why += fmt.Sprintf("; waited %s", wait)
	}
	return fail.New(fail.Locked, "take the lock", "%s", why).Try("%s", next)
}

// Unlock lets the lock go.
func (l *Lock) Unlock() {
	_ = l.file.Truncate(0)
	l.file.Close()
}
