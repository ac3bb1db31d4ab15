package proxy

import (
	"errors"
	"io"
	"sync"
	"time"
)

// ErrRequest is the error of a request that did not come whole from its client. No
// backend is to blame.
var ErrRequest = errors.New("the request did not come whole")

// sending is the body of a request on its way to a backend. The time of the try
// stands still while the client is waited for, else a slow one would make a
// backend look slow.
type sending struct {
	io.ReadCloser
	patience time.Duration
	timer    *time.Timer // ends the try; nil if it may last

	mu    sync.Mutex
	over  bool
	wrong error // of the client
}

func (s *sending) Read(p []byte) (int, error) {
	s.hold(true)
	n, err := s.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.mu.Lock()
		s.wrong = err
		s.mu.Unlock()
	}
	s.hold(false)
	return n, err
}

// hold stops the time, or has it begin anew, unless the try has ended.
func (s *sending) hold(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.timer == nil || s.over:
	case on:
		s.timer.Stop()
	default:
		s.timer.Reset(s.patience)
	}
}

// end ends the try, and returns what was wrong with the request.
func (s *sending) end() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	if s.timer != nil {
		s.timer.Stop()
	}
	return s.wrong
}
