package sidecar

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"slices"
	"time"

	"github.com/cnetlab/cnet/internal/proxy"
)

// state is what follows from a configuration.
type state struct {
	config  Config
	pools   map[netip.AddrPort]*proxy.Pool // by virtual address
	handler *httputil.ReverseProxy
	open    func(netip.AddrPort) bool
}

func (p *Proxy) stateOf(c Config) *state {
	s := &state{config: c, pools: make(map[netip.AddrPort]*proxy.Pool, len(c.Services)), open: p.circuit.Open}
	old := p.state.Load()
	if old == nil {
		old = &state{}
	}
	for _, v := range c.Services {
		s.pools[v.At] = old.pools[v.At].Renewed(v.Backends)
	}
	s.handler = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.RawQuery, r.Out.Host = "http", r.In.URL.RawQuery, r.In.Host
			r.Out.Trailer = r.In.Trailer // which fills when the body has been read
			for _, h := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
				if v, ok := r.In.Header[h]; ok {
					r.Out.Header[h] = v
				}
			}
		},
		Transport: &proxy.Transport{
			Base: &http.Transport{
				DialContext: p.within(c.Timeout), DisableKeepAlives: true, DisableCompression: true,
				ExpectContinueTimeout: min(time.Second, c.Timeout/2), // as long as a client would wait
			},
			Retries: c.Retries, Timeout: c.Timeout, Budget: &p.budget, Breakers: &p.circuit, Seen: p.meter.tried,
		},
		FlushInterval: -1,
		ErrorHandler:  p.refuse,
		ErrorLog:      p.server.ErrorLog,
	}
	return s
}

// choice says who is to answer for an address: of a service its backends, those
// first that were not tried; of any other whoever is there.
func (s *state) choice(to netip.AddrPort) proxy.Choice {
	pool := s.pools[to]
	if pool == nil {
		return func([]proxy.Backend) (proxy.Backend, error) {
			if s.open(to) {
				return proxy.Backend{}, proxy.ErrOpen
			}
			return proxy.Backend{Name: to.String(), At: to, Weight: 1}, nil
		}
	}
	return func(tried []proxy.Backend) (proxy.Backend, error) {
		isTried := func(b proxy.Backend) bool { return slices.Contains(tried, b) }
		if b, ok := pool.Next(func(b proxy.Backend) bool { return !isTried(b) && !s.open(b.At) }); ok {
			return b, nil
		}
		if b, ok := pool.Next(func(b proxy.Backend) bool { return !s.open(b.At) }); ok {
			return b, nil
		}
		if len(pool.Backends()) == 0 {
			return proxy.Backend{}, proxy.ErrNone
		}
		return proxy.Backend{}, proxy.ErrOpen
	}
}

// serve answers a request that a container sent, or one to the proxy itself.
func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	c, ok := r.Context().Value(clientKey{}).(*client)
	p.open.Add(1) // the server does not wait for connections that were upgraded
	defer p.open.Done()
	if ok {
		c.served()
	}
	if p.leaving.Load() {
		w.Header().Set("Connection", "close")
	}
	switch {
	case !ok:
		http.Error(w, "nobody sent this", http.StatusInternalServerError)
	case c.direct:
		p.page(w, r)
	default:
		seen := &proxy.Answer{ResponseWriter: w}
		began := time.Now()
		defer func() { p.meter.answered(seen.Status, time.Since(began)) }() // also when the client is gone, which panics
		s := p.state.Load()
		// The server adds nothing of its own to an answer that passes.
		w.Header()["Content-Type"], w.Header()["Date"] = nil, nil
		s.handler.ServeHTTP(seen, proxy.WithChoice(r, s.choice(c.to)))
	}
}

// refuse answers for an upstream that does not.
func (p *Proxy) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusBadGateway
	switch {
	case r.Context().Err() != nil: // the client is gone
	case errors.Is(err, proxy.ErrOpen), errors.Is(err, proxy.ErrNone):
		p.meter.rejected.Inc()
		status = http.StatusServiceUnavailable
	case errors.Is(err, proxy.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		status = http.StatusGatewayTimeout
	}
	w.Header().Del("Date")
	w.Header().Set("Server", "cnet-sidecar")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, "cnet-sidecar: %v\n", err)
}

// page is what the proxy says of itself.
func (p *Proxy) page(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "cnet-sidecar")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	switch r.URL.Path {
	case "/metrics":
		p.meter.set.WritePrometheus(w)
	case "/":
		fmt.Fprintln(w, p.Status().Summary())
	default:
		http.Error(w, "this is cnet's sidecar: /metrics, or /", http.StatusNotFound)
	}
}
