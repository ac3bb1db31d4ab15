package names

import (
	"net"
	"net/netip"
	"sync"
)

// fewer is a listener that keeps no connections of strangers, and few of each
// client: none takes them all.
type fewer struct {
	net.Listener
	server *Server
	mu     sync.Mutex
	open   map[netip.Addr]int
}

// each is how many connections a client may have.
const each = 32

func (l *fewer) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		a := asker{addrOf(c.LocalAddr()), addrOf(c.RemoteAddr())}
		if l.server.zone.Load().of(a) != nil && l.count(a.source, 1) {
			return &counted{Conn: c, done: sync.OnceFunc(func() { l.count(a.source, -1) })}, nil
		}
		c.Close()
	}
}

// count counts a connection that comes or goes, unless it were too many.
func (l *fewer) count(client netip.Addr, by int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.open[client] + by
	if n > each {
		return false
	}
	if l.open[client] = n; n == 0 {
		delete(l.open, client)
	}
	return true
}

type counted struct {
	net.Conn
	done func()
}

func (c *counted) Close() error {
	c.done()
	return c.Conn.Close()
}
