package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"golang.org/x/net/http2"
	"golang.org/x/net/netutil"

	"github.com/cnetlab/cnet/internal/proxy"
)

// A backend that cannot be reached so often in a row is left alone for so long.
const (
	refusals = 3
	rest     = 5 * time.Second
)

// tries is how often a request is tried at most, where it may be.
const tries = 3

// Edge is a reverse proxy. Its methods may be called at any time.
type Edge struct {
	state   atomic.Pointer[state]
	circuit proxy.Breakers
	budget  proxy.Budget
	base    *http.Transport
	handler *httputil.ReverseProxy
	mirror  *mirror
	set     *metrics.Set
	errs    *log.Logger
	mu      sync.Mutex
	servers []*http.Server
	open    atomic.Int64 // requests under way
}

// New returns an edge that knows no routes. errs is told what goes wrong.
func New(errs io.Writer) *Edge {
	e := &Edge{set: metrics.NewSet(), errs: log.New(errs, "", log.LstdFlags)}
	e.circuit.Set(refusals, rest)
	e.base = &http.Transport{
		DialContext: dial, DisableCompression: true,
		MaxIdleConnsPerHost: 256, IdleConnTimeout: 30 * time.Second, ExpectContinueTimeout: time.Second,
	}
	e.mirror = newMirror(e.base, e.set)
	e.handler = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.RawQuery, r.Out.Host = "http", r.In.URL.RawQuery, r.In.Host
			r.SetXForwarded() // what a stranger said of it is dropped
		},
		Transport:     transports{e},
		FlushInterval: -1,
		BufferPool:    new(buffers),
		ErrorHandler:  e.refuse,
		ErrorLog:      e.errs,
	}
	e.state.Store(&state{})
	return e
}

// dial calls a backend. Who was not reached has seen nothing.
func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, addr)
	return c, proxy.Unreached(err)
}

// transports does requests as the state says with which they began.
type transports struct{ *Edge }

func (e transports) RoundTrip(r *http.Request) (*http.Response, error) {
	s, _ := r.Context().Value(stateKey{}).(*state)
	t := proxy.Transport{
		Base: e.base, Retries: tries - 1, Timeout: s.config.Limits.AnswerTime, Budget: &e.budget, Breakers: &e.circuit,
		Failed: func(int) bool { return false }, // an answer is an answer: what it says is for the client
	}
	return t.RoundTrip(r)
}

type stateKey struct{}

// Set has requests that begin from now on be led as a configuration says. One that
// cannot be is refused, and the one before stays.
func (e *Edge) Set(c Config) error {
	s, err := e.stateOf(c)
	if err != nil {
		return err
	}
	e.state.Store(s)
	return nil
}

// Serve takes the connections of a listener, until it is closed or the edge is drained.
func (e *Edge) Serve(l net.Listener, withTLS bool) error {
	limits := e.state.Load().config.Limits
	h2 := &http2.Server{MaxConcurrentStreams: 250, IdleTimeout: limits.IdleTime, WriteByteTimeout: limits.IdleTime}
	server := &http.Server{
		Handler:           http.HandlerFunc(e.serve),
		MaxHeaderBytes:    limits.Header,
		ReadHeaderTimeout: limits.HeaderTime,
		IdleTimeout:       limits.IdleTime,
		ErrorLog:          e.errs,
	}
	server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: e.forClient}
	if err := http2.ConfigureServer(server, h2); err != nil {
		return err
	}
	if !withTLS {
		server.Handler = plain(server.Handler, h2, limits.HeaderTime)
	}
	e.mu.Lock()
	e.servers = append(e.servers, server)
	e.mu.Unlock()
	if limits.Connections > 0 {
		l = netutil.LimitListener(l, limits.Connections)
	}
	serve := server.Serve
	if withTLS {
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	if err := serve(l); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// forClient has a client shown the certificates of now.
func (e *Edge) forClient(*tls.ClientHelloInfo) (*tls.Config, error) {
	certs := e.state.Load().certificates
	if len(certs) == 0 {
		return nil, errors.New("there is no certificate")
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, Certificates: certs}, nil
}

// Drain takes no more connections, and returns when the requests under way have
// ended, or when ctx ends.
func (e *Edge) Drain(ctx context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all sync.WaitGroup
	for _, s := range e.servers {
		s := s
		all.Add(1)
		go func() { defer all.Done(); _ = s.Shutdown(ctx) }()
	}
	all.Wait()
	e.settle(ctx)
	for _, s := range e.servers {
		s.Close()
	}
}

// settle waits for the requests that no [http.Server] knows of: those of HTTP/2
// without TLS, and upgrades.
func (e *Edge) settle(ctx context.Context) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for e.open.Load() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
