package serve

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// runTCP takes clients out of the queue, and gives each a goroutine, so that
// one who hangs keeps nobody else waiting.
func (s *Server) runTCP(ctx context.Context) error {
	var clients sync.WaitGroup
	defer clients.Wait()
	serving, cancel := context.WithCancel(ctx) // it ends with the listener, too
	defer cancel()
	left := make(chan struct{}, 1) // a client has left, and its descriptor with it

	for {
		fd, client, err := s.kernel().accept(s.fd)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil
		case scarce(err):
			// The client stays in the queue until there is room.
			wait(ctx, left, 100*time.Millisecond)
			continue
		case passing(err):
			continue
		default:
			return fmt.Errorf("accept on %s: %w", s.local, err)
		}
		clients.Add(1)
		go func() {
			defer clients.Done()
			s.converse(serving, newConn(s.kernel(), fd, client))
			select {
			case left <- struct{}{}:
			default:
			}
		}()
	}
}

// scarce errors end when somebody gives something back.
func scarce(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) ||
		errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.ENOMEM)
}

// passing errors are of one client, who is gone, and not of the listener:
// accept(2), "Error handling".
func passing(err error) bool {
	switch err {
	case unix.EINTR, unix.ECONNABORTED, unix.ENETDOWN, unix.EPROTO, unix.ENOPROTOOPT, unix.EHOSTDOWN,
		unix.ENONET, unix.EHOSTUNREACH, unix.EOPNOTSUPP, unix.ENETUNREACH:
		return true
	}
	return false
}

// wait ends with ctx, with a sign, or after d.
func wait(ctx context.Context, sign <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-sign:
	case <-timer.C:
	}
}
