package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/cnetlab/cnet/internal/proxy"
)

// serve answers a request.
func (e *Edge) serve(w http.ResponseWriter, r *http.Request) {
	e.open.Add(1)
	defer e.open.Add(-1)
	s := e.state.Load()
	limits := s.config.Limits
	a := &proxy.Answer{ResponseWriter: w}
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Time{}) // that of the request before
	to := &patient{a, control, limits.IdleTime, r.ProtoMajor == 2}
	route := s.table.find(r)
	switch {
	case r.Method == http.MethodConnect:
		say(to, r, http.StatusNotImplemented, "it makes no tunnels")
		return
	case route == nil:
		e.set.GetOrCreateCounter("cnet_edge_unrouted_total").Inc()
		say(to, r, http.StatusNotFound, "no route leads from this host and path to a service")
		return
	case limits.Body > 0 && r.ContentLength > limits.Body:
		say(to, r, http.StatusRequestEntityTooLarge, fmt.Sprintf("a request's body has at most %d bytes", limits.Body))
		return
	}
	if r.ContentLength != 0 {
		r.Body = &bounded{http.MaxBytesReader(w, r.Body, limits.Body), control}
		_ = control.SetReadDeadline(time.Now().Add(limits.RequestTime))
	}
	noTunnel(r.Header)
	e.lead(to, a, r, route)
}

// lead leads a request on its way, and counts it.
func (e *Edge) lead(to http.ResponseWriter, a *proxy.Answer, r *http.Request, route *route) {
	s := route.state
	open := func(b proxy.Backend) bool { return e.circuit.Open(b.At) }
	w := s.decide(route, r, open)
	if route.Mirror != "" && route.copied() {
		r = e.mirror.send(r, s.pools[route.Mirror], s.config.Limits.AnswerTime)
	}
	var service string
	var backend proxy.Backend
	choice := s.choice(route, w, open, func(name string, b proxy.Backend) { service, backend = name, b })
	a.Before = func() {
		if route.Sticky != "" && backend.Name != "" && backend != w.stick {
			http.SetCookie(a.ResponseWriter, &http.Cookie{
				Name: route.Sticky, Value: idOf(service, backend), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: r.TLS != nil,
			})
		}
	}
	began := time.Now()
	defer func() { // also when the client is gone, which panics with http.ErrAbortHandler
		if m := route.meters[service+" "+backend.Name]; m != nil {
			m.count(a.Status, time.Since(began))
		}
	}()
	e.handler.ServeHTTP(to, proxy.WithChoice(r.WithContext(context.WithValue(r.Context(), stateKey{}, s)), choice))
}

// copied reports whether this request is one of those that are mirrored: so many
// of each hundred, spread evenly.
func (r *route) copied() bool {
	n, p := r.copies.Add(1), uint64(r.Percent)
	return n*p/100 != (n-1)*p/100
}

// refuse answers where no backend does.
func (e *Edge) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		say(w, r, http.StatusRequestEntityTooLarge, fmt.Sprintf("a request's body has at most %d bytes", large.Limit))
	case errors.Is(err, proxy.ErrRequest) && errors.Is(err, os.ErrDeadlineExceeded):
		say(w, r, http.StatusRequestTimeout, "the request's body did not come in time")
	case errors.Is(err, proxy.ErrRequest):
		say(w, r, http.StatusBadRequest, "the request's body is broken")
	case r.Context().Err() != nil: // the client is gone
		say(w, r, http.StatusBadGateway, "the client is gone")
	case errors.Is(err, proxy.ErrOpen), errors.Is(err, proxy.ErrNone):
		say(w, r, http.StatusServiceUnavailable, "no backend of the service can be asked")
	case errors.Is(err, proxy.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		say(w, r, http.StatusGatewayTimeout, "the backend did not answer in time")
	default:
		e.errs.Printf("%s %s%s: %v", r.Method, r.Host, r.URL.Path, err)
		say(w, r, http.StatusBadGateway, "the backend did not answer")
	}
}

// say answers for the edge itself, at once: it waits for no rest of the request.
func say(w http.ResponseWriter, r *http.Request, status int, text string) {
	if r.ProtoMajor == 1 && r.ContentLength != 0 {
		w.Header().Set("Connection", "close")
	}
	w.Header().Set("Server", "cnet-edge")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	fmt.Fprintf(w, "cnet-edge: %s\n", text)
}

// bounded is a body of bounded length, which is there in time.
type bounded struct {
	io.ReadCloser
	control *http.ResponseController
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) { // all is there: the answer may take longer
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// patient is an answer that a client reads in time, piece by piece.
type patient struct {
	*proxy.Answer
	control *http.ResponseController
	time.Duration
	stream bool // of HTTP/2, whose deadlines end streams that are merely quiet
}

func (p *patient) WriteHeader(status int) {
	_ = p.control.SetWriteDeadline(time.Now().Add(p.Duration))
	p.Answer.WriteHeader(status)
}

func (p *patient) Write(b []byte) (int, error) {
	_ = p.control.SetWriteDeadline(time.Now().Add(p.Duration))
	return p.Answer.Write(b)
}

// FlushError follows each piece: with it all is sent.
func (p *patient) FlushError() error {
	err := p.control.Flush()
	if err == nil && p.stream {
		err = p.control.SetWriteDeadline(time.Time{})
	}
	return err
}
