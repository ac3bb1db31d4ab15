package sidecar

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cnetlab/cnet/internal/proxy"
)

// Proxy is the proxy of one container. Its methods may be called at any time.
type Proxy struct {
	// Original tells where a connection was to go; [OriginalDst], but for tests.
	Original func(*net.TCPConn) (netip.AddrPort, error)
	// Dialer calls upstream; one that marks its packets, but for tests.
	Dialer *net.Dialer

	meter   *meter
	own     *own
	state   atomic.Pointer[state]
	circuit proxy.Breakers
	budget  proxy.Budget
	inbox   *inbox // the connections that speak HTTP
	server  *http.Server
	taking  sync.WaitGroup // listeners, and connections that are not served yet
	speak   sync.WaitGroup // connections that speak HTTP
	open    sync.WaitGroup // what is passed on: connections that do not, and requests
	leaving atomic.Bool    // those that speak HTTP are told to come no more
	ctx     context.Context
	end     context.CancelFunc
}

// New returns a proxy that knows no services.
func New(errs io.Writer) *Proxy {
	p := &Proxy{Original: OriginalDst, Dialer: marked(), own: newOwn(), inbox: newInbox()}
	p.meter = newMeter(&p.circuit)
	p.ctx, p.end = context.WithCancel(context.Background())
	p.server = &http.Server{
		Handler:                      http.HandlerFunc(p.serve),
		ReadHeaderTimeout:            30 * time.Second,
		IdleTimeout:                  2 * time.Minute,
		ErrorLog:                     log.New(errs, "", log.LstdFlags),
		DisableGeneralOptionsHandler: true, // OPTIONS * is for the upstream
		BaseContext:                  func(net.Listener) context.Context { return p.ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, clientKey{}, c)
		},
	}
	p.Set(Config{Timeout: time.Second})
	go func() { _ = p.server.Serve(p.inbox) }() // ends when it is shut down
	return p
}

// Set has what begins from now on be done as a configuration says.
func (p *Proxy) Set(c Config) {
	p.circuit.Set(c.Failures, c.Open)
	p.state.Store(p.stateOf(c))
}

// Serve takes the connections of a listener, until its deadline passes; then those
// that still wait in its queue, and closes it. They would be reset.
func (p *Proxy) Serve(l *net.TCPListener) error {
	p.taking.Add(1)
	defer p.taking.Done()
	take := func(c *net.TCPConn) {
		p.taking.Add(1)
		go p.take(c, word(l.Addr()))
	}
	for {
		c, err := l.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			queued(l, take)
			return l.Close()
		}
		if err != nil { // too many files are open
			time.Sleep(10 * time.Millisecond)
			continue
		}
		take(c)
	}
}

// client is a connection that came, and where it was to go.
type client struct {
	*net.TCPConn
	r      *bufio.Reader
	to     netip.AddrPort
	direct bool   // nobody led it here
	served func() // is called when it is served, or closed
	silent func() // is called when it is closed
	*given
}

type clientKey struct{}

func (c *client) Read(b []byte) (int, error) { return c.r.Read(b) }

// WriteTo is that of the reader: the connection's own would leave out what was read.
func (c *client) WriteTo(w io.Writer) (int64, error) { return c.r.WriteTo(w) }

func (c *client) Close() error {
	c.forget()
	defer c.silent()
	defer c.served()
	return c.TCPConn.Close()
}

// take finds out what a connection is, and hands it on.
func (p *Proxy) take(tcp *net.TCPConn, at netip.AddrPort) {
	served := sync.OnceFunc(p.taking.Done)
	to, err := p.Original(tcp)
	if err != nil {
		p.meter.lost.Inc()
		tcp.Close()
		served()
		return
	}
	mine, err := p.own.isGiven(tcp, to)
	if err != nil {
		p.meter.loops.Inc()
		tcp.Close()
		served()
		return
	}
	c := &client{
		TCPConn: tcp, r: bufio.NewReader(tcp), to: to, direct: to == word(tcp.LocalAddr()), given: mine,
		served: served, silent: func() {},
	}
	if c.direct && !at.Addr().IsLoopback() { // a stranger has no business with the proxy itself
		c.Close()
		return
	}
	if speaksHTTP(tcp, c.r) {
		p.speak.Add(1)
		c.silent = sync.OnceFunc(p.speak.Done)
		p.inbox.put(c)
		return
	}
	if c.direct || c.back.Load() {
		c.Close()
		return
	}
	p.pass(c)
}

// dial calls upstream. A connection that comes back is none.
func (p *Proxy) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	p.meter.connections.Inc()
	c, err := p.Dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, proxy.Unreached(err)
	}
	n, err := p.own.makes(c.(*net.TCPConn))
	if err != nil {
		p.meter.loops.Inc()
		return nil, err
	}
	return n, nil
}

// within calls upstream for so long. The transport alone would go on when nobody
// waits any more.
func (p *Proxy) within(limit time.Duration) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		return p.dial(ctx, network, addr)
	}
}

// lastWord is how long a client that keeps its connection has for one more request,
// with whose answer it is told to make another.
const lastWord = time.Second

// Drain returns when the connections there are have ended by themselves, or when
// ctx ends. Before, the caller sets the deadlines of the listeners, or closes them.
func (p *Proxy) Drain(ctx context.Context) {
	p.leaving.Store(true)
	soon, cancel := context.WithTimeout(ctx, lastWord)
	defer cancel()
	// A server that shuts down drops the requests that it has yet to read.
	if wait(ctx, &p.taking) {
		wait(soon, &p.speak)
		if p.server.Shutdown(ctx) == nil {
			wait(ctx, &p.open)
		}
	}
	p.end()
	p.server.Close()
}

// wait reports whether a group has ended before ctx does.
func wait(ctx context.Context, g *sync.WaitGroup) bool {
	done := make(chan struct{})
	go func() {
		g.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// inbox is a listener of connections that were taken already.
type inbox struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newInbox() *inbox { return &inbox{conns: make(chan net.Conn), done: make(chan struct{})} }

func (i *inbox) put(c net.Conn) {
	select {
	case i.conns <- c:
	case <-i.done:
		c.Close()
	}
}

func (i *inbox) Accept() (net.Conn, error) {
	select {
	case c := <-i.conns:
		return c, nil
	case <-i.done:
		return nil, net.ErrClosed
	}
}

func (i *inbox) Close() error {
	i.once.Do(func() { close(i.done) })
	return nil
}

func (i *inbox) Addr() net.Addr { return &net.TCPAddr{} }
