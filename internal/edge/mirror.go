package edge

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/cnetlab/cnet/internal/proxy"
)

// The mirror's workers, the copies that wait for one, and the longest body of a copy.
const (
	mirrorWorkers = 16
	mirrorQueue   = 512
	mirrorBody    = 64 << 10
)

// mirror sends copies of requests. Nobody waits for it: where it cannot follow,
// copies are dropped, and counted.
type mirror struct {
	base                  http.RoundTripper
	copies                chan func()
	sent, failed, dropped *metrics.Counter
}

func newMirror(base http.RoundTripper, set *metrics.Set) *mirror {
	m := &mirror{
		base: base, copies: make(chan func(), mirrorQueue),
		sent:    set.NewCounter(`cnet_edge_mirrored_total{outcome="sent"}`),
		failed:  set.NewCounter(`cnet_edge_mirrored_total{outcome="failed"}`),
		dropped: set.NewCounter(`cnet_edge_mirrored_total{outcome="dropped"}`),
	}
	for i := 0; i < mirrorWorkers; i++ {
		go func() {
			for send := range m.copies {
				send()
			}
		}()
	}
	return m
}

// send sends a copy of a request to a backend of the pool, and returns the request
// with its body as it was. One whose body is long, or of unknown length, is not copied.
func (m *mirror) send(r *http.Request, pool *proxy.Pool, patience time.Duration) *http.Request {
	b, ok := pool.Next(func(proxy.Backend) bool { return true })
	if !ok || r.ContentLength < 0 || r.ContentLength > mirrorBody || r.Header.Get("Upgrade") != "" {
		m.dropped.Inc()
		return r
	}
	body, err := io.ReadAll(r.Body)
	r.Body = &reread{io.MultiReader(bytes.NewReader(body), failing{err}), r.Body}
	if err != nil {
		m.dropped.Inc()
		return r
	}
	out := copyOf(r)
	out.URL.Host, out.Body = b.At.String(), io.NopCloser(bytes.NewReader(body))
	select {
	case m.copies <- func() { m.do(out, patience) }:
	default:
		m.dropped.Inc()
	}
	return r
}

// copyOf is a request as a backend is sent it: without what is between the client
// and the edge, or what a stranger said of it.
func copyOf(r *http.Request) *http.Request {
	out := r.Clone(context.WithoutCancel(r.Context()))
	out.URL.Scheme, out.RequestURI = "http", ""
	for _, list := range r.Header.Values("Connection") {
		for _, h := range strings.Split(list, ",") {
			out.Header.Del(strings.TrimSpace(h))
		}
	}
	for _, h := range []string{
		"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding",
		"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
	} {
		out.Header.Del(h)
	}
	(&httputil.ProxyRequest{In: r, Out: out}).SetXForwarded()
	return out
}

func (m *mirror) do(r *http.Request, patience time.Duration) {
	ctx, cancel := context.WithTimeout(r.Context(), max(patience, time.Second))
	defer cancel()
	res, err := m.base.RoundTrip(r.WithContext(ctx))
	if err != nil {
		m.failed.Inc()
		return
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20))
	res.Body.Close()
	m.sent.Inc()
}

// reread is a body that was read already; to close it closes the one that was.
type reread struct {
	io.Reader
	io.Closer
}

// failing ends a body as it ended.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err == nil {
		return 0, io.EOF
	}
	return 0, f.err
}
