package edge

import (
	"fmt"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// meter counts the requests that a route led to a backend, by the class of their
// status; 0 is of those that nobody was there to be answered.
type meter struct {
	classes [6]*metrics.Counter
	seconds *metrics.FloatCounter
}

// meterOf is the meter of a backend, the same for as long as the edge runs.
func (e *Edge) meterOf(r Route, service, backend string) *meter {
	labels := fmt.Sprintf("route=%q,service=%q,backend=%q", r.name(), service, backend)
	m := &meter{seconds: e.set.GetOrCreateFloatCounter("cnet_edge_request_seconds_total{" + labels + "}")}
	for c := range m.classes {
		m.classes[c] = e.set.GetOrCreateCounter(fmt.Sprintf(`cnet_edge_requests_total{%s,code="%dxx"}`, labels, c))
	}
	return m
}

func (m *meter) count(status int, took time.Duration) {
	m.classes[min(status/100, 5)].Inc()
	m.seconds.Add(took.Seconds())
}

func (m *meter) share(route, service, backend string) Share {
	sh := Share{Route: route, Service: service, Backend: backend}
	for c, n := range m.classes {
		sh.Classes[c] = n.Get()
		sh.Requests += n.Get()
	}
	return sh
}

// name is the route as people write it.
func (r Route) name() string {
	host := r.Host
	if host == "" {
		host = "*"
	}
	return host + r.Path
}

// Share is what a route has led to a backend; without one, what nobody was there for.
type Share struct {
	Route    string    `json:"route"`
	Service  string    `json:"service"`
	Backend  string    `json:"backend"`
	Requests uint64    `json:"requests"`
	Classes  [6]uint64 `json:"classes"` // by the first digit of the status; 0 is of clients who went away
}

// Mirrored is how many copies were sent, failed, or had to be left.
type Mirrored struct {
	Sent    uint64 `json:"sent"`
	Failed  uint64 `json:"failed"`
	Dropped uint64 `json:"dropped"`
}

// Status is how the edge fares.
type Status struct {
	Shares  []Share  `json:"shares"`
	Mirror  Mirrored `json:"mirror"`
	Left    []string `json:"left,omitempty"` // backends that are left alone
	Metrics string   `json:"metrics"`        // all that it counts, in the form of Prometheus
}

// Status is how the edge fares now, by the routes of now.
func (e *Edge) Status() Status {
	s := Status{Mirror: Mirrored{e.mirror.sent.Get(), e.mirror.failed.Get(), e.mirror.dropped.Get()}}
	for _, at := range e.circuit.List() {
		s.Left = append(s.Left, at.String())
	}
	state := e.state.Load()
	for _, r := range state.routes {
		before := len(s.Shares)
		for _, name := range r.names() {
			for _, b := range state.pools[name].Backends() {
				s.Shares = append(s.Shares, r.meters[name+" "+b.Name].share(r.name(), name, b.Name))
			}
		}
		if sh := r.meters[nobody].share(r.name(), "", ""); sh.Requests > 0 || len(s.Shares) == before {
			s.Shares = append(s.Shares, sh)
		}
	}
	var text strings.Builder
	e.set.WritePrometheus(&text)
	s.Metrics = text.String()
	return s
}
