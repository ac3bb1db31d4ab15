package netns

import (
	"errors"
	"fmt"
	"runtime"

	vishns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Do runs fn on a thread that is inside the namespace at path, and returns when
// fn returns. For the empty path, the host, it just calls fn. Goroutines that fn
// starts run outside.
func Do(path string, fn func() error) error {
	if path == "" {
		return fn()
	}
	ns, err := open(path)
	if err != nil {
		return err
	}
	defer ns.Close()
	return onThread(func() error {
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network namespace %s: %w", path, err)
		}
		return fn()
	})
}

// onThread runs fn, which may change the network namespace of its thread, on a
// locked thread, and brings the thread back. A thread that cannot be brought
// back is never unlocked, and so ends with its goroutine.
func onThread(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		defer close(done) // also when fn ends its goroutine, as t.Fatal does
		runtime.LockOSThread()
		home, err := vishns.GetFromPath("/proc/thread-self/ns/net")
		if err != nil {
			runtime.UnlockOSThread()
			done <- err
			return
		}
		defer home.Close()
		err = fn()
		if back := vishns.Set(home); back == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	err, ok := <-done
	if !ok {
		return errors.New("work inside a network namespace was given up")
	}
	return err
}
