package serve

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	defaultBacklog = 128
	defaultIdle    = 10 * time.Second
)

// Server is a small server that answers who it is and who asks. Its fields are
// set before Listen and left alone afterwards.
type Server struct {
	Name string // what it calls itself

	// Addr is where it listens. "10.77.0.2:80" and "[fd77::2]:80" are one
	// address, "0.0.0.0:80" and "[::]:80" all addresses of one family, ":80"
	// all addresses of both. Port 0 lets the kernel choose.
	Addr string

	UDP      bool          // answer datagrams instead of connections
	Backlog  int           // length of the accept queue; 0 is 128
	NoAccept bool          // leave clients in that queue, as a program does that hangs
	Reuse    bool          // share the port with others who do so too (SO_REUSEPORT)
	FailRate int           // percent of requests that get a 500; with UDP, no answer
	Latency  time.Duration // how long each answer is held back

	Explain io.Writer // told each system call and why; may be nil
	Log     io.Writer // told each request on a line; may be nil

	idle   time.Duration // how long a silent client is waited for
	output sync.Mutex    // of Explain and Log, which may be the same

	listening bool
	fd        int
	local     netip.AddrPort
}

// Listen makes the socket in the calling thread's network namespace. After it
// returns, the kernel shakes hands with clients and queues them; nobody is
// answered until [Server.Run]. Errors are *fail.Error in words: a port that is
// taken is a Conflict, one that needs a privilege NotPermitted, a bad field
// Usage.
func (s *Server) Listen() error {
	if err := s.check(); err != nil {
		return err
	}
	at, err := parseAddr(s.Addr)
	if err != nil {
		return err
	}
	fd, err := s.open(at)
	if at.dual && errors.Is(err, unix.EAFNOSUPPORT) { // IPv6 is off
		at = endpoint{AddrPort: netip.AddrPortFrom(netip.IPv4Unspecified(), at.Port())}
		fd, err = s.open(at)
	}
	if err != nil {
		return s.inWords(at, err)
	}
	if s.local, err = s.kernel().getsockname(fd); err != nil {
		s.kernel().close(fd)
		return s.inWords(at, err)
	}
	s.fd, s.listening = fd, true
	return nil
}

// open is the whole of becoming a server: socket, bind, listen.
func (s *Server) open(at endpoint) (int, error) {
	k := s.kernel()
	fd, err := k.socket(at.family(), s.socketType())
	if err != nil {
		return -1, err
	}
	err = s.setOptions(fd, at)
	if err == nil {
		err = k.bind(fd, at)
	}
	if err == nil && !s.UDP {
		err = k.listen(fd, s.backlog())
	}
	if err != nil {
		k.close(fd)
		return -1, err
	}
	return fd, nil
}

func (s *Server) setOptions(fd int, at endpoint) error {
	k := s.kernel()
	if at.family() == unix.AF_INET6 {
		if err := k.setsockopt(fd, v6only, !at.dual); err != nil {
			return err
		}
	}
	if s.Reuse {
		if err := k.setsockopt(fd, reusePort, true); err != nil {
			return err
		}
	}
	switch {
	case !s.UDP:
		return k.setsockopt(fd, reuseAddr, true)
	case at.family() == unix.AF_INET6:
		return k.setsockopt(fd, pktinfo6, true)
	}
	return k.setsockopt(fd, pktinfo4, true)
}

// Local is the address that the socket is bound to, once Listen has returned.
// Of a server on all addresses it is 0.0.0.0 or ::.
func (s *Server) Local() netip.AddrPort { return s.local }

// Run answers clients until ctx ends, then closes everything and returns nil.
// It may run on any thread: the socket keeps its namespace.
func (s *Server) Run(ctx context.Context) error {
	defer s.Close()
	defer s.wakeAtEnd(ctx)()
	switch {
	case s.UDP:
		return s.runUDP(ctx)
	case s.NoAccept:
		<-ctx.Done()
		return nil
	}
	return s.runTCP(ctx)
}

// wakeAtEnd shuts the socket down when ctx ends, which wakes a thread that
// waits on it; closing it would not.
func (s *Server) wakeAtEnd(ctx context.Context) (release func()) {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		s.kernel().shutdown(s.fd)
	})
	return func() {
		if !stop() {
			<-done
		}
	}
}

// Close closes a server that listens and is not run; Run closes by itself.
func (s *Server) Close() error {
	if !s.listening {
		return nil
	}
	s.listening = false
	return s.kernel().close(s.fd)
}

func (s *Server) socketType() int {
	if s.UDP {
		return unix.SOCK_DGRAM
	}
	return unix.SOCK_STREAM
}

func (s *Server) backlog() int {
	if s.Backlog == 0 {
		return defaultBacklog
	}
	return s.Backlog
}

func (s *Server) idleTime() time.Duration {
	if s.idle == 0 {
		return defaultIdle
	}
	return s.idle
}
