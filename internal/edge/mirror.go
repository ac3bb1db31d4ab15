package edge

import (
	"bytes"
	"context"
	"io"
	"net/http"
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
	out := r.Clone(context.WithoutCancel(r.Context()))
	out.URL.Scheme, out.URL.Host, out.RequestURI = "http", b.At.String(), ""
	out.Body = io.NopCloser(bytes.NewReader(body))
	for _, h := range []string{"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding"} {
		out.Header.Del(h)
	}
	select {
	case m.copies <- func() { m.do(out, patience) }:
	default:
		m.dropped.Inc()
	}
	return r
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
