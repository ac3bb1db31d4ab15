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
	open    sync.WaitGroup // connections that do not speak it, or do no longer
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

// Serve takes the connections of a listener, until it is closed.
func (p *Proxy) Serve(l net.Listener) error {
	p.taking.Add(1)
	defer p.taking.Done()
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil { // too many files are open
			time.Sleep(10 * time.Millisecond)
			continue
		}
		p.taking.Add(1)
		go p.take(c.(*net.TCPConn), word(l.Addr()))
	}
}

// client is a connection that came, and where it was to go.
type client struct {
	*net.TCPConn
	r      *bufio.Reader
	to     netip.AddrPort
	direct bool   // nobody led it here
	served func() // is called when it is served, or closed
	*given
}

type clientKey struct{}

func (c *client) Read(b []byte) (int, error) { return c.r.Read(b) }

// WriteTo is that of the reader: the connection's own would leave out what was read.
func (c *client) WriteTo(w io.Writer) (int64, error) { return c.r.WriteTo(w) }

func (c *client) Close() error {
	c.forget()
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
		TCPConn: tcp, r: bufio.NewReader(tcp), to: to, direct: to == word(tcp.LocalAddr()), served: served, given: mine,
	}
	if c.direct && !at.Addr().IsLoopback() { // a stranger has no business with the proxy itself
		c.Close()
		return
	}
	if speaksHTTP(tcp, c.r) {
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

// Drain returns when the connections there are have ended by themselves, or when
// ctx ends. The listeners are the caller's to close, before.
func (p *Proxy) Drain(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		p.taking.Wait() // a server that shuts down drops the requests that it has yet to read
		if p.server.Shutdown(ctx) == nil {
			p.open.Wait()
		}
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	p.end()
	p.server.Close()
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
