package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// maxKept is the longest body of a request that is kept to be sent again, in bytes.
const maxKept = 64 << 10

// unreached is an error before anything was sent: nobody has seen the request.
type unreached struct{ err error }

func (e *unreached) Error() string { return e.err.Error() }
func (e *unreached) Unwrap() error { return e.err }

// Unreached marks an error of a dialer: who was called has seen nothing.
func Unreached(err error) error {
	if err == nil {
		return nil
	}
	return &unreached{err}
}

// IsUnreached reports whether an error is of a dialer.
func IsUnreached(err error) bool {
	var nobody *unreached
	return errors.As(err, &nobody)
}

// final is an error after which nothing is tried again.
type final struct{ err error }

func (e *final) Error() string { return e.err.Error() }
func (e *final) Unwrap() error { return e.err }

// Final marks an error that another try would meet again.
func Final(err error) error { return &final{err} }

// repeatable reports whether a request may be done twice: its method says so (RFC
// 9110, 9.2.2), or its sender does, by an Idempotency-Key.
func repeatable(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return r.Header.Get("Upgrade") == ""
	}
	return r.Header.Get("Idempotency-Key") != ""
}

// Failed reports whether a status says that the server failed, not the client. 500
// counts: it is what a server says that broke down over a request. 501 and others
// say that it would break down again.
func Failed(status int) bool {
	switch status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// body is the body of a request, to be sent once or more often. To close it is for
// the server that read the request.
type body struct {
	kept  []byte
	rest  io.Reader // what did not fit; nil if all is kept
	whole io.Reader // not read at all, for who sends once
}

// keepBody reads as much of a body as may be kept, where the request may be repeated.
func keepBody(r *http.Request) (*body, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return &body{}, nil
	}
	if !repeatable(r) || r.ContentLength > maxKept {
		return &body{whole: r.Body}, nil
	}
	kept, err := io.ReadAll(io.LimitReader(r.Body, maxKept+1))
	if err != nil {
		return nil, err
	}
	if len(kept) > maxKept {
		return &body{kept: kept, rest: r.Body}, nil
	}
	return &body{kept: kept}, nil
}

// once reports whether the body can be sent once only.
func (b *body) once() bool { return b.rest != nil || b.whole != nil }

// reader is the body for a try, which has patience with what is still to come.
func (b *body) reader(p *patience) io.ReadCloser {
	switch {
	case b.whole != nil:
		return io.NopCloser(p.while(b.whole))
	case b.rest != nil:
		return io.NopCloser(io.MultiReader(bytes.NewReader(b.kept), p.while(b.rest)))
	case b.kept != nil:
		return io.NopCloser(bytes.NewReader(b.kept))
	}
	return http.NoBody
}
