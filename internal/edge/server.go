package edge

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"

	"github.com/cnetlab/cnet/internal/keep"
)

// Server is an edge in a process of its own (package keep).
type Server struct {
	*Edge
	mu   sync.Mutex
	tls  map[netip.AddrPort]bool
	open map[netip.AddrPort]net.Listener
}

// NewServer returns a server without sockets, which knows nothing yet.
func NewServer() *Server {
	return &Server{Edge: New(os.Stderr), open: make(map[netip.AddrPort]net.Listener)}
}

// Know is what the process is told.
type Know struct {
	Config
	TLS []netip.AddrPort `json:"tls,omitempty"` // the addresses at which TLS is spoken
}

// Know takes a configuration as JSON. It has no wishes.
func (s *Server) Know(know json.RawMessage, _ func(any) error) error {
	var k Know
	if err := json.Unmarshal(know, &k); err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	s.mu.Lock()
	s.tls = make(map[netip.AddrPort]bool)
	for _, at := range k.TLS {
		s.tls[at] = true
	}
	s.mu.Unlock()
	return s.Set(k.Config)
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
	s.open[at] = l
	withTLS := s.tls[at]
	go func() {
		if err := s.Serve(l, withTLS); err != nil {
			s.errs.Printf("serve at %s: %v", at, err)
		}
	}()
	return nil
}

// Close closes the socket of an address. Connections that are open go on.
func (s *Server) Close(at netip.AddrPort) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.open[at]
	delete(s.open, at)
	if l == nil {
		return nil
	}
	return l.Close()
}

// Tell is the status.
func (s *Server) Tell() any { return s.Status() }

// Drain closes the sockets, and waits for the requests under way.
func (s *Server) Drain(ctx context.Context) { s.Edge.Drain(ctx) }
