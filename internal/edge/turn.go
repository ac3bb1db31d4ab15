package edge

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// turn is a socket for as long as its connections are served in one way. The next
// turn has the same socket, so that nobody is refused between.
type turn struct {
	*net.TCPListener
	accepting sync.Mutex
	over      atomic.Bool
}

// Accept takes a connection, until the turn is over.
func (t *turn) Accept() (net.Conn, error) {
	t.accepting.Lock()
	defer t.accepting.Unlock()
	if t.over.Load() {
		return nil, net.ErrClosed
	}
	c, err := t.TCPListener.Accept()
	if err != nil && t.over.Load() {
		return nil, net.ErrClosed
	}
	return c, err
}

// Close closes the socket, unless another has it now.
func (t *turn) Close() error {
	if t.over.Load() {
		return nil
	}
	return t.TCPListener.Close()
}

// end ends the turn: from now on the socket's connections are left to the next.
func (t *turn) end() *net.TCPListener {
	t.over.Store(true)
	_ = t.SetDeadline(time.Unix(1, 0))
	t.accepting.Lock()
	defer t.accepting.Unlock()
	_ = t.SetDeadline(time.Time{})
	return t.TCPListener
}
