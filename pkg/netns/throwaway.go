package netns

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Throwaway runs fn on a thread that is in a new network namespace, which ends
// with it. It is for trying what the kernel can do; not with a context that
// keeps sockets (see [Keep]): those are the host's. Needs CAP_SYS_ADMIN.
func Throwaway(fn func() error) error {
	return onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		return fn()
	})
}
