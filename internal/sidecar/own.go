package sidecar

import (
	"errors"
	"net"
	"net/netip"
	"sync"
)

// errLoop is the error of a connection that came back to its own proxy.
var errLoop = errors.New("the connection came back to the proxy that made it: nothing spares its mark")

// own are the proxy's connections by their addresses in this namespace: those that
// it made, and those that it was given. One that is both came back. Whichever end
// learns of it second tells, before a byte was sent.
type own struct {
	mu          sync.Mutex
	made, given map[netip.AddrPort]bool
}

func newOwn() *own {
	return &own{made: make(map[netip.AddrPort]bool), given: make(map[netip.AddrPort]bool)}
}

// make notes a connection that the proxy made, until it is closed.
func (o *own) makes(c net.Conn) (net.Conn, error) {
	at := word(c.LocalAddr())
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.given[at] {
		c.Close()
		return nil, errLoop
	}
	o.made[at] = true
	return &noted{c.(*net.TCPConn), sync.OnceFunc(func() { o.forget(o.made, at) })}, nil
}

// isGiven notes a connection that came, and returns what forgets it.
func (o *own) isGiven(c net.Conn) (forget func(), err error) {
	at := word(c.RemoteAddr())
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.made[at] {
		return nil, errLoop
	}
	o.given[at] = true
	return func() { o.forget(o.given, at) }, nil
}

func (o *own) forget(from map[netip.AddrPort]bool, at netip.AddrPort) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(from, at)
}

// noted is a connection that the proxy made.
type noted struct {
	*net.TCPConn
	forget func()
}

func (n *noted) Close() error {
	n.forget()
	return n.TCPConn.Close()
}
