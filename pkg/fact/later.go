package fact

import (
	"context"
)

// Later runs fn, the part of a Break that does nothing but wait for the kernel,
// beside the steps that follow. Its error fails the step, though others are done
// by then. Where there is no [Run] it just runs fn.
func Later(ctx context.Context, fn func() error) error {
	l, ok := ctx.Value(lateKey{}).(*late)
	if !ok {
		return fn()
	}
	done, of := make(chan error, 1), l.of
	go func() {
		err := fn()
		if err != nil {
			err = &StepError{Step: of[0], With: of, Err: err}
		}
		done <- err
	}()
	l.pending = append(l.pending, done)
	return nil
}

type lateKey struct{}

// late is what a run has yet to wait for.
type late struct {
	of      []Step // the steps that are being done
	pending []chan error
}

// wait waits for all, and returns the first failure.
func (l *late) wait() (first error) {
	for _, done := range l.pending {
		if err := <-done; first == nil {
			first = err
		}
	}
	l.pending = nil
	return first
}
