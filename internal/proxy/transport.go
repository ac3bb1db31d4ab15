package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// ErrOpen is the error when every backend is left alone.
var ErrOpen = errors.New("every backend is left alone for a while, after it went on failing")

// ErrNone is the error when there is no backend at all.
var ErrNone = errors.New("there is no backend")

// ErrTimeout is the error of a try that took too long until an answer began.
var ErrTimeout = errors.New("no answer began in time")

// Choice picks the backend for the next try of a request, given those tried. It
// says [ErrOpen] or [ErrNone] where there is none.
type Choice func(tried []Backend) (Backend, error)

type choiceKey struct{}

// WithChoice has a request go where a choice says.
func WithChoice(r *http.Request, c Choice) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), choiceKey{}, c))
}

// Try is one try of a request, when it has ended.
type Try struct {
	Backend Backend
	Number  int // from 0: of 1 and more it was a retry
	Status  int // 0 without an answer
	Err     error
}

// Transport does requests with tries. Where they go says their [Choice].
type Transport struct {
	Base     http.RoundTripper
	Retries  int
	Timeout  time.Duration // of each try, from when its request is there until its answer begins; 0 is none
	Budget   *Budget
	Breakers *Breakers
	Failed   func(status int) bool    // whether an answer of a status is a failure; nil is [Failed]
	Seen     func(*http.Request, Try) // told of each try; may be nil
}

// RoundTrip does a request. Its answer is that of the last try.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	choose, ok := r.Context().Value(choiceKey{}).(Choice)
	if !ok {
		return nil, errors.New("nobody says where the request goes")
	}
	t.Budget.Request()
	kept, err := keepBody(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	var tried []Backend
	var last *http.Response
	for n := 0; ; n++ {
		b, cerr := t.Breakers.Pick(choose, tried)
		if cerr != nil {
			if last != nil || err != nil {
				return last, err // of the try before
			}
			return nil, cerr
		}
		if last != nil {
			last.Body.Close() // unread: its end may be long in coming
		}
		last, err = t.try(r, b, n, kept)
		tried = append(tried, b)
		spent := kept.once() && !IsUnreached(err) // the body is on its way
		if n >= t.Retries || spent || !t.again(r, last, err) || !t.pause(r.Context(), n) || !t.Budget.Retry() {
			return last, err
		}
	}
}

// again reports whether a try that ended so may be followed by another.
func (t *Transport) again(r *http.Request, res *http.Response, err error) bool {
	var last *final
	switch {
	case errors.As(err, &last), errors.Is(err, ErrRequest):
		return false
	case IsUnreached(err):
		return true
	}
	return (err != nil || t.failed(res)) && repeatable(r)
}

func (t *Transport) failed(res *http.Response) bool {
	if t.Failed != nil {
		return t.Failed(res.StatusCode)
	}
	return Failed(res.StatusCode)
}

// pause waits a little, by chance, the longer the more tries were made. It reports
// false if the client is gone.
func (t *Transport) pause(ctx context.Context, n int) bool {
	const base = 2 * time.Millisecond
	timer := time.NewTimer(time.Duration(rand.Int63n(int64(base << min(n, 6)))))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// try does one try. A client who goes away, or sends half a request, says nothing
// of the backend.
func (t *Transport) try(r *http.Request, b Backend, n int, kept *body) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	patience := newPatience(t.Timeout, func() { cancel(ErrTimeout) })
	var reached atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { reached.Store(true) }})
	res, err := t.Base.RoundTrip(toBackend(r.WithContext(traced), b, kept.reader(patience)))
	late, wrong := patience.end()
	switch {
	case late:
		if err == nil {
			res.Body.Close()
		}
		if err = fmt.Errorf("%w (%s)", ErrTimeout, t.Timeout); !reached.Load() {
			err = Unreached(err)
		}
	case err != nil && wrong != nil:
		err = fmt.Errorf("%w: %w", ErrRequest, wrong)
	}
	done := Try{Backend: b, Number: n, Err: err}
	if err != nil {
		cancel(nil)
	} else {
		done.Status, res.Body = res.StatusCode, until(res.Body, func() { cancel(nil) })
	}
	if err == nil || r.Context().Err() == nil && !errors.Is(err, ErrRequest) {
		t.Breakers.End(b.At, err == nil && !t.failed(res))
	}
	if t.Seen != nil {
		t.Seen(r, done)
	}
	return res, err
}

func toBackend(r *http.Request, b Backend, body io.ReadCloser) *http.Request {
	u := *r.URL
	u.Host = b.At.String()
	r.URL, r.Body = &u, body
	return r
}

// until calls a func when a body is closed. That of an upgrade is the connection,
// and is written to as well.
func until(b io.ReadCloser, end func()) io.ReadCloser {
	if c, ok := b.(io.ReadWriteCloser); ok {
		return &upgraded{c, end}
	}
	return &ending{b, end}
}

type ending struct {
	io.ReadCloser
	end func()
}

func (e *ending) Close() error {
	defer e.end()
	return e.ReadCloser.Close()
}

type upgraded struct {
	io.ReadWriteCloser
	end func()
}

func (u *upgraded) Close() error {
	defer u.end()
	return u.ReadWriteCloser.Close()
}
