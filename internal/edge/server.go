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
	mu     sync.Mutex
	tls    map[netip.AddrPort]bool
	limits Limits
	doors  map[netip.AddrPort]door
}

// door is a socket, and how its connections are served.
type door struct {
	*turn
	tls    bool
	limits Limits
}

// NewServer returns a server without sockets, which knows nothing yet.
func NewServer() *Server {
	return &Server{Edge: New(os.Stderr), doors: make(map[netip.AddrPort]door)}
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
	if err := s.Set(k.Config); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits, s.tls = k.Limits, make(map[netip.AddrPort]bool)
	for _, at := range k.TLS {
		s.tls[at] = true
	}
	for at, d := range s.doors {
		if d.tls != s.tls[at] || d.limits != s.limits { // connections that are open go on as they began
			s.serveAt(at, d.end())
		}
	}
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
	s.serveAt(at, l)
	return nil
}

// serveAt serves a socket as is asked for now.
func (s *Server) serveAt(at netip.AddrPort, l *net.TCPListener) {
	d := door{&turn{TCPListener: l}, s.tls[at], s.limits}
	s.doors[at] = d
	go func() {
		if err := s.Serve(d.turn, d.tls); err != nil {
			s.errs.Printf("serve at %s: %v", at, err)
		}
	}()
}

// Close closes the socket of an address. Connections that are open go on.
func (s *Server) Close(at netip.AddrPort) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.doors[at]
	delete(s.doors, at)
	if !ok {
		return nil
	}
	return d.Close()
}

// Tell is the status.
func (s *Server) Tell() any { return s.Status() }

// Drain closes the sockets, and waits for the requests under way.
func (s *Server) Drain(ctx context.Context) { s.Edge.Drain(ctx) }
