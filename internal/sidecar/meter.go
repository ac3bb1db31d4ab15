package sidecar

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/cnetlab/cnet/internal/proxy"
)

// meter counts what a proxy does, in the form of Prometheus.
type meter struct {
	set                      *metrics.Set
	tries, retries           *metrics.Counter
	connections, tcp, loops  *metrics.Counter
	rejected, lost, timeouts *metrics.Counter
	sent, received           *metrics.Counter
	duration                 *metrics.Summary
}

func newMeter(circuit *proxy.Breakers) *meter {
	s := metrics.NewSet()
	s.NewGauge("cnet_sidecar_circuits_open", func() float64 { return float64(len(circuit.List())) })
	return &meter{
		set:         s,
		tries:       s.NewCounter("cnet_sidecar_tries_total"),
		retries:     s.NewCounter("cnet_sidecar_retries_total"),
		connections: s.NewCounter("cnet_sidecar_upstream_connections_total"),
		tcp:         s.NewCounter("cnet_sidecar_tcp_connections_total"),
		loops:       s.NewCounter("cnet_sidecar_loops_total"),
		rejected:    s.NewCounter("cnet_sidecar_rejected_total"),
		lost:        s.NewCounter("cnet_sidecar_unreached_total"),
		timeouts:    s.NewCounter("cnet_sidecar_timeouts_total"),
		sent:        s.NewCounter(`cnet_sidecar_tcp_bytes_total{direction="sent"}`),
		received:    s.NewCounter(`cnet_sidecar_tcp_bytes_total{direction="received"}`),
		duration:    s.NewSummary("cnet_sidecar_request_duration_seconds"),
	}
}

// requests counts those that were answered with a status of a class: 2 is 2xx.
func (m *meter) requests(class int) *metrics.Counter {
	return m.set.GetOrCreateCounter(fmt.Sprintf(`cnet_sidecar_requests_total{code="%dxx"}`, class))
}

// tried is told of each try of a request.
func (m *meter) tried(_ *http.Request, t proxy.Try) {
	m.tries.Inc()
	if t.Number > 0 {
		m.retries.Inc()
	}
	if errors.Is(t.Err, proxy.ErrTimeout) {
		m.timeouts.Inc()
	}
}

// answered is told of each request's end. Where nobody was there any more to be
// answered, the status is 0.
func (m *meter) answered(status int, took time.Duration) {
	m.requests(status / 100).Inc()
	m.duration.Update(took.Seconds())
}

// Status is how a proxy fares.
type Status struct {
	Requests    uint64           `json:"requests"`
	Failed      uint64           `json:"failed"` // answered with 5xx, or not at all
	Tries       uint64           `json:"tries"`
	Retries     uint64           `json:"retries"`
	Connections uint64           `json:"connections"`    // made upstream
	TCP         uint64           `json:"tcp"`            // connections that came and are not of HTTP/1
	Loops       uint64           `json:"loops"`          // connections that came back
	Open        []netip.AddrPort `json:"open,omitempty"` // backends that are left alone
	Metrics     string           `json:"metrics"`        // all that it counts, in the form of Prometheus
}

// Status is how the proxy fares now.
func (p *Proxy) Status() Status {
	m := p.meter
	loops := m.loops.Get() // each of which is a connection that is counted already
	s := Status{
		Tries: m.tries.Get(), Retries: m.retries.Get(), Connections: m.connections.Get(), TCP: m.tcp.Get(), Loops: loops,
		Open: p.circuit.List(),
	}
	for class := 0; class <= 5; class++ {
		n := m.requests(class).Get()
		s.Requests += n
		if class == 0 || class == 5 {
			s.Failed += n
		}
	}
	var text strings.Builder
	m.set.WritePrometheus(&text)
	s.Metrics = text.String()
	return s
}

// Summary is the status in a line.
func (s Status) Summary() string {
	line := fmt.Sprintf("%d requests, %d failed; %d tries, %d of them retries; %d connections made, %d passed as TCP",
		s.Requests, s.Failed, s.Tries, s.Retries, s.Connections, s.TCP)
	if len(s.Open) > 0 {
		line += fmt.Sprintf("; %d backends left alone", len(s.Open))
	}
	if s.Loops > 0 {
		line += fmt.Sprintf("; %d connections came back and were refused", s.Loops)
	}
	return line
}
