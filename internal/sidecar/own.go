package sidecar

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/cnetlab/cnet/internal/proxy"
)

// errLoop is the error of a connection that came back to its own proxy.
var errLoop = errors.New("the connection came back to the proxy that made it: nothing spares its mark")

// flow is a connection as who makes it sees it, before a rule leads it elsewhere.
// Its port alone would not do: the kernel gives it to several at once, which go to
// different places.
type flow struct{ from, to netip.AddrPort }

// own are the proxy's connections: those that it made, and those that it was given.
// One that is both came back. Whichever end learns of it second tells, before a
// byte was sent.
type own struct {
	mu    sync.Mutex
	made  map[flow]*noted
	given map[flow]*given
}

// given is a connection that came.
type given struct {
	back   atomic.Bool // it is the proxy's own
	forget func()
}

func newOwn() *own {
	return &own{made: make(map[flow]*noted), given: make(map[flow]*given)}
}

// makes notes a connection that the proxy made, until it is closed.
func (o *own) makes(c *net.TCPConn) (*noted, error) {
	at := flow{word(c.LocalAddr()), word(c.RemoteAddr())}
	o.mu.Lock()
	defer o.mu.Unlock()
	if g := o.given[at]; g != nil {
		g.back.Store(true)
		c.Close()
		return nil, proxy.Final(errLoop)
	}
	n := &noted{TCPConn: c}
	n.forget = sync.OnceFunc(func() { forget(&o.mu, o.made, at, n) })
	o.made[at] = n
	return n, nil
}

// isGiven notes a connection that came and was to go to an address, until it is
// forgotten.
func (o *own) isGiven(c net.Conn, to netip.AddrPort) (*given, error) {
	at := flow{word(c.RemoteAddr()), to}
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := o.made[at]; n != nil {
		n.back.Store(true)
		return nil, errLoop
	}
	g := &given{}
	g.forget = sync.OnceFunc(func() { forget(&o.mu, o.given, at, g) })
	o.given[at] = g
	return g, nil
}

// forget takes a connection out, and leaves another that has its ends by now: the
// kernel gives them anew as soon as the other side has reset it.
func forget[C comparable](mu *sync.Mutex, from map[flow]C, at flow, c C) {
	mu.Lock()
	defer mu.Unlock()
	if from[at] == c {
		delete(from, at)
	}
}

// noted is a connection that the proxy made.
type noted struct {
	*net.TCPConn
	forget func()
	back   atomic.Bool // it came back
}

func (n *noted) Read(b []byte) (int, error) {
	m, err := n.TCPConn.Read(b)
	return m, n.told(err)
}

func (n *noted) Write(b []byte) (int, error) {
	m, err := n.TCPConn.Write(b)
	return m, n.told(err)
}

// told is err, or what is behind it.
func (n *noted) told(err error) error {
	if err != nil && n.back.Load() {
		return proxy.Final(errLoop)
	}
	return err
}

func (n *noted) Close() error {
	n.forget()
	return n.TCPConn.Close()
}
