package topology

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cnetlab/cnet/internal/fail"
)

// filled are the limits with what was left to cnet.
func (l Limits) filled() Limits {
	keep(&l.Header, 64<<10)
	keep(&l.Body, 16<<20)
	keep(&l.HeaderTime, "5s")
	keep(&l.RequestTime, "1m0s")
	keep(&l.AnswerTime, "30s")
	keep(&l.IdleTime, "1m0s")
	keep(&l.Connections, 10000)
	return l
}

// checkEdge refuses an edge that cannot be.
func (t *Topology) checkEdge(e Edge) error {
	bad := func(format string, args ...any) *fail.Error { return fail.New(fail.Usage, "edge", format, args...) }
	if len(e.Listen)+len(e.TLS) == 0 {
		return bad("it listens nowhere").Try("cnet edge start --listen :80")
	}
	all := append(slices.Clip(e.Listen), e.TLS...)
	for i, at := range all {
		if _, err := ParseListen(at); err != nil {
			return err
		}
		if slices.Contains(all[:i], at) {
			return bad("it listens twice at %s", at)
		}
	}
	if len(e.TLS) > 0 && len(e.Certificates) == 0 {
		return bad("it speaks TLS and has no certificate").Try("--cert FILE --key FILE")
	}
	for _, c := range e.Certificates {
		if !filepath.IsAbs(c.Cert) || !filepath.IsAbs(c.Key) {
			return bad("the path of a certificate or key is not absolute: %s, %s", quote(c.Cert), quote(c.Key))
		}
	}
	if err := e.Limits.check(); err != nil {
		return err
	}
	for i, r := range e.Routes {
		if i > 0 && e.Routes[i-1].Name() >= r.Name() {
			return bad("its routes are not in the order of their names, or it has %s twice", r.Name())
		}
		if err := t.checkRoute(r); err != nil {
			return err
		}
	}
	return nil
}

func (l Limits) check() error {
	if l.Header < 1<<10 || l.Header > 1<<20 || l.Body < 1 || l.Body > 1<<40 || l.Connections < 1 || l.Connections > 1<<20 {
		return fail.New(fail.Usage, "edge", "its limits are out of range: headers of 1024 to %d bytes, bodies of 1 to %d, 1 to %d connections", 1<<20, 1<<40, 1<<20)
	}
	for _, s := range []string{l.HeaderTime, l.RequestTime, l.AnswerTime, l.IdleTime} {
		if d, err := time.ParseDuration(s); err != nil || d < time.Millisecond || d > 24*time.Hour {
			return fail.New(fail.Usage, "edge", "the limit %s is not a time from 1ms to 24h", quote(s)).Try("--header-time 5s")
		}
	}
	return nil
}

// maxPercent is all of a hundred.
const maxPercent = 100

// checkRoute refuses a route that cannot be, or leads nowhere.
func (t *Topology) checkRoute(r Route) error {
	if err := r.checkName(); err != nil {
		return err
	}
	what := "route " + r.Name()
	if len(r.To) == 0 {
		return fail.New(fail.Usage, what, "it leads to no service").Try("--to web, or --to v1=95 --to v2=5")
	}
	for _, name := range r.names() {
		s, err := t.Service(name)
		if err != nil {
			return err
		}
		if len(s.Ports) > 0 && !slices.ContainsFunc(s.Ports, func(p ServicePort) bool { return p.Proto == "tcp" }) {
			return fail.New(fail.Conflict, what, "service %s has no port of TCP", name).Try("cnet service set %s --port 80", name)
		}
	}
	sum := 0
	for i, w := range r.To {
		sum += w.Weight
		if slices.ContainsFunc(r.To[:i], func(o Weight) bool { return o.Name == w.Name }) {
			return fail.New(fail.Usage, what, "service %s is named twice", w.Name)
		}
	}
	if sum == 0 {
		return fail.New(fail.Usage, what, "no service has a weight")
	}
	if r.Mirror != nil && (r.Mirror.Weight < 1 || r.Mirror.Weight > maxPercent) {
		return fail.New(fail.Usage, what, "%d percent cannot be mirrored", r.Mirror.Weight).Try("--mirror %s=10", r.Mirror.Name)
	}
	for _, u := range r.Rules {
		if (u.Header == "") == (u.Cookie == "") || !token(u.Header+u.Cookie) || len(u.Value) > 1024 {
			return fail.New(fail.Usage, what, "a rule asks for one header or one cookie, and a value").Try("--header X-Canary=always:v2")
		}
	}
	if r.Sticky != "" && !token(r.Sticky) {
		return fail.New(fail.Usage, what, "%s cannot be the name of a cookie", quote(r.Sticky)).Try("--sticky shop")
	}
	return nil
}

// token reports whether s can be the name of a header or a cookie (RFC 9110, 5.6.2).
func token(s string) bool {
	return s != "" && len(s) <= 128 && !slices.ContainsFunc([]byte(s), func(c byte) bool {
		return !alphanumeric(c) && !slices.Contains([]byte("!#$%&'*+-.^_`|~"), c)
	})
}

// applyEdge takes the edge of a file. A file without one leaves it alone.
func (t *Topology) applyEdge(file Topology, prune bool, h Host) error {
	if file.Edge == nil {
		if prune {
			t.Edge = nil
		}
		return nil
	}
	e := *file.Edge
	slices.SortFunc(e.Routes, func(a, b Route) int { return strings.Compare(a.Name(), b.Name()) })
	routes := e.Routes
	t.Edge = nil
	if err := t.SetEdge(e, h); err != nil {
		return err
	}
	t.Edge.Routes = routes
	return t.checkEdge(*t.Edge)
}

// edge checks what a topology that was read says of its edge.
func (c checker) edge() error {
	if c.topo.Edge == nil {
		return nil
	}
	if err := c.topo.checkEdge(*c.topo.Edge); err != nil {
		return &Fault{"edge", "all", fmt.Errorf("%w", err)}
	}
	return nil
}
