package netns

import (
	"context"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	vishns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// With calls fn with a netlink handle for the routing family in the namespace
// at path; the empty path is the host. Inside a session ([Keep]) the handle is
// kept for the next call. fn must not keep it.
func With(ctx context.Context, path string, fn func(*netlink.Handle) error) error {
	return withConn(ctx, path, func(c *conn) error { return fn(c.handle) })
}

// Keep returns a context that keeps netlink sockets open between calls of
// [With], and a function that closes them. Breaking a [Named] or [Bind] fact
// closes its sockets first, because an open socket keeps a namespace alive. A
// context that already has a session is returned as it is.
func Keep(ctx context.Context) (context.Context, func()) {
	if sessionOf(ctx) != nil {
		return ctx, func() {}
	}
	s := &session{conns: make(map[string]*conn)}
	return context.WithValue(ctx, sessionKey{}, s), s.close
}

// conn is a pair of sockets into one namespace: one for the library's own
// functions, one for messages that the library cannot form.
type conn struct {
	handle *netlink.Handle
	raw    map[int]*nl.SocketHandle

	users int  // calls that use it now
	stale bool // to be closed by its last user
}

func dial(path string) (c *conn, err error) {
	err = Do(path, func() error {
		h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		s, err := nl.GetNetlinkSocketAt(vishns.None(), vishns.None(), unix.NETLINK_ROUTE)
		if err != nil {
			h.Close()
			return err
		}
		_ = s.SetExtAck(true) // the kernel's own words in errors; a kernel without them is fine
		c = &conn{handle: h, raw: map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: s}}}
		return nil
	})
	return c, err
}

// send sends one message and returns the answers.
func (c *conn) send(kind, flags int, msg nl.NetlinkRequestData, attrs []*Attr) ([][]byte, error) {
	req := nl.NewNetlinkRequest(kind, flags)
	req.Sockets = c.raw
	req.AddData(msg)
	for _, a := range attrs {
		req.AddData(a)
	}
	return req.Execute(unix.NETLINK_ROUTE, 0)
}

func (c *conn) close() {
	c.handle.Close()
	for _, s := range c.raw {
		s.Close()
	}
}

// maxConns bounds the sockets that a session keeps open.
const maxConns = 64

type sessionKey struct{}

type session struct {
	mu    sync.Mutex
	conns map[string]*conn
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
		if len(s.conns) >= maxConns {
			s.dropIdle()
		}
		s.conns[path] = c
	}
	c.users++
	return c, nil
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
