package sidecar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/cnetlab/cnet/internal/keep"
)

// Server is a proxy in a process of its own (package keep).
type Server struct {
	*Proxy
	mu   sync.Mutex
	open map[netip.AddrPort]*live
}

// live is a listener that is served.
type live struct {
	*net.TCPListener
	done chan struct{} // it is not any more
}

// end serves those who have called, and no more.
func (l *live) end() error {
	if err := l.SetDeadline(time.Unix(1, 0)); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	<-l.done
	return nil
}

// NewServer returns a server without sockets, which knows nothing yet.
func NewServer() *Server {
	return &Server{Proxy: New(os.Stderr), open: make(map[netip.AddrPort]*live)}
}

// Know takes a configuration as JSON. It has no wishes.
func (s *Server) Know(know json.RawMessage, _ func(any) error) error {
	var c Config
	if err := json.Unmarshal(know, &c); err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	s.Set(c)
	return nil
}

// Listen takes the connections of a socket.
func (s *Server) Listen(at netip.AddrPort, sockets []*os.File) error {
	if len(sockets) != 1 {
		return fmt.Errorf("listen at %s: it is one socket", at)
	}
	l, err := keep.Listener(sockets[0])
	if err != nil {
		return fmt.Errorf("listen at %s: %w", at, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	served := &live{l, make(chan struct{})}
	s.open[at] = served
	go func() {
		defer close(served.done)
		_ = s.Serve(l)
	}()
	return nil
}

// Close closes the socket of an address.
func (s *Server) Close(at netip.AddrPort) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.open[at]
	delete(s.open, at)
	if l == nil {
		return nil
	}
	return l.end()
}

// Tell is the status.
func (s *Server) Tell() any { return s.Status() }

// Drain closes the sockets, and waits for the connections.
func (s *Server) Drain(ctx context.Context) {
	s.mu.Lock()
	for _, l := range s.open {
		_ = l.end()
	}
	s.mu.Unlock()
	s.Proxy.Drain(ctx)
}
