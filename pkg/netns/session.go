package netns

import (
	"context"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// With calls fn with a netlink handle for the routing family in the namespace
// at path; the empty path is the host. Inside a session ([Keep]) the handle is
// kept for the next call. fn must not keep it.
func With(ctx context.Context, path string, fn func(*netlink.Handle) error) error {
	return withConn(ctx, path, func(c *conn) error {
		h, err := c.library()
		if err != nil {
			return err
		}
		return fn(h)
	})
}

// Keep returns a context that keeps netlink sockets open between calls of
// [With], and a function that closes them. Breaking a [Named] or [Bind] fact
// closes its sockets first, because an open socket keeps a namespace alive. A
// context that already has a session is returned as it is.
func Keep(ctx context.Context) (context.Context, func()) {
	if sessionOf(ctx) != nil {
		return ctx, func() {}
	}
	s := &session{conns: make(map[string]*conn), max: maxConns()}
	return context.WithValue(ctx, sessionKey{}, s), s.close
}

// conn is a socket into one namespace and, from when it is first asked for, the
// library's, for what the library reads so well.
type conn struct {
	path   string
	socket *socket
	mu     sync.Mutex
	handle *netlink.Handle

	users int  // calls that use it now
	stale bool // to be closed by its last user
}

func dial(path string) (*conn, error) {
	c := &conn{path: path}
	err := Do(path, func() (err error) {
		c.socket, err = newSocket()
		return err
	})
	return c, err
}

func (c *conn) library() (*netlink.Handle, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.handle != nil {
		return c.handle, nil
	}
	err := Do(c.path, func() (err error) {
		c.handle, err = netlink.NewHandle(unix.NETLINK_ROUTE)
		return err
	})
	return c.handle, err
}

func (c *conn) close() {
	c.socket.close()
	if c.handle != nil {
		c.handle.Close()
	}
}

// maxConns bounds the sockets that a session keeps open: a quarter of the files
// that the process may have.
func maxConns() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 64
	}
	return int(min(limit.Cur/4, 4096))
}

type sessionKey struct{}

type session struct {
	mu    sync.Mutex
	conns map[string]*conn
	max   int
}

func sessionOf(ctx context.Context) *session {
	s, _ := ctx.Value(sessionKey{}).(*session)
	return s
}

func withConn(ctx context.Context, path string, fn func(*conn) error) error {
	s := sessionOf(ctx)
	if s == nil {
		c, err := dial(path)
		if err != nil {
			return err
		}
		defer c.close()
		return fn(c)
	}
	c, err := s.get(path)
	if err != nil {
		return err
	}
	defer s.put(c)
	return fn(c)
}

func (s *session) get(path string) (*conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.conns[path]
	if !ok {
		var err error
		if c, err = dial(path); err != nil {
			return nil, err
		}
		s.keep(c)
	}
	c.users++
	return c, nil
}

func (s *session) keep(c *conn) {
	if len(s.conns) >= s.max {
		s.dropIdle()
	}
	s.conns[c.path] = c
}

// enter has the session of ctx keep a socket into the namespace that the thread
// is in, which is that at path: to come back for it takes longer.
func enter(ctx context.Context, path string) error {
	s := sessionOf(ctx)
	if s == nil {
		return nil
	}
	sock, err := newSocket()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(path)
	s.keep(&conn{path: path, socket: sock})
	return nil
}

func (s *session) put(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.users--
	if c.stale && c.users == 0 {
		c.close()
	}
}

// drop forgets the sockets into the namespace at path.
func (s *session) drop(path string) {
	c, ok := s.conns[path]
	if !ok {
		return
	}
	delete(s.conns, path)
	c.stale = true
	if c.users == 0 {
		c.close()
	}
}

// dropIdle makes room; the host's sockets, which all plans use, stay.
func (s *session) dropIdle() {
	for path, c := range s.conns {
		if path != "" && c.users == 0 {
			s.drop(path)
		}
	}
}

func (s *session) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for path := range s.conns {
		s.drop(path)
	}
}

// forget closes what the session of ctx keeps of the namespace at path.
func forget(ctx context.Context, path string) {
	if s := sessionOf(ctx); s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.drop(path)
	}
}
