package topology

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/cnetlab/cnet/internal/fail"
)

// Edge is the reverse proxy of the host: where it listens, what it bounds, and
// where it leads requests.
type Edge struct {
	Listen       []string      `json:"listen,omitempty" yaml:"listen"` // ADDRESS:PORT, or :PORT for all
	TLS          []string      `json:"tls,omitempty" yaml:"tls"`       // the same, where TLS is spoken
	Certificates []Certificate `json:"certificates,omitempty" yaml:"certificates"`
	Limits       Limits        `json:"limits" yaml:"limits"`
	Routes       []Route       `json:"routes,omitempty" yaml:"routes"` // in the order of their names
}

// Certificate is a certificate and its key, as paths of files in PEM.
type Certificate struct {
	Cert string `json:"cert" yaml:"cert"`
	Key  string `json:"key" yaml:"key"`
}

// Limits bound what a client of the edge may ask for.
type Limits struct {
	Header      int    `json:"header" yaml:"header"`             // bytes of a request's line and headers
	Body        int64  `json:"body" yaml:"body"`                 // bytes of a request's body
	HeaderTime  string `json:"header_time" yaml:"header_time"`   // until the headers are there
	RequestTime string `json:"request_time" yaml:"request_time"` // until all of a request is there
	AnswerTime  string `json:"answer_time" yaml:"answer_time"`   // until a backend's answer begins
	IdleTime    string `json:"idle_time" yaml:"idle_time"`       // between requests, and of who does not read
	Connections int    `json:"connections" yaml:"connections"`   // at once, at each address
}

// Route leads requests for a host and a path to services.
type Route struct {
	Host   string   `json:"host,omitempty" yaml:"host"` // "shop.test", "*.shop.test", or empty for all
	Path   string   `json:"path,omitempty" yaml:"path"` // "/cart" and what is below; empty for all
	To     []Weight `json:"to" yaml:"to"`               // services and their parts
	Rules  []Rule   `json:"rules,omitempty" yaml:"rules"`
	Sticky string   `json:"sticky,omitempty" yaml:"sticky"` // the name of a cookie
	// Mirror is the service that is sent copies, and of how many requests of a hundred.
	Mirror   *Weight `json:"mirror,omitempty" yaml:"mirror"`
	Failover string  `json:"failover,omitempty" yaml:"failover"` // the service for when all else fails
}

// Rule leads requests with a header or a cookie of a value to a service.
type Rule struct {
	Header  string `json:"header,omitempty" yaml:"header"`
	Cookie  string `json:"cookie,omitempty" yaml:"cookie"`
	Value   string `json:"value" yaml:"value"`
	Service string `json:"service" yaml:"service"`
}

// Name is the route as people write it: "shop.test/cart", or "*" for all.
func (r Route) Name() string {
	if r.Host == "" {
		return "*" + r.Path
	}
	return r.Host + r.Path
}

// ParseRoute reads the name of a route: HOST[/PATH], and * for every host.
func ParseRoute(spec string) (r Route, err error) {
	host, path, found := strings.Cut(spec, "/")
	r.Host = strings.ToLower(host)
	if found {
		r.Path = strings.TrimRight("/"+path, "/")
	}
	if r.Host == "*" {
		r.Host = ""
	}
	if host == "" {
		return r, fail.New(fail.Usage, "route "+quote(spec), "it names no host").Try("shop.test/cart, *.shop.test, or * for every host")
	}
	return r, r.checkName()
}

func (r Route) checkName() error {
	bad := func(format string, args ...any) error {
		return fail.New(fail.Usage, "route "+quote(r.Name()), format, args...).Try("shop.test/cart, *.shop.test, or * for every host")
	}
	name := strings.TrimPrefix(r.Host, "*.")
	if r.Host != "" && (len(name) > 253 || strings.ContainsFunc(name, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_')
	}) || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || name == "") {
		return bad("%s is no host", quote(r.Host))
	}
	if r.Path != "" && (r.Path[0] != '/' || strings.HasSuffix(r.Path, "/") || len(r.Path) > 1024 || strings.ContainsAny(r.Path, "?#") || strings.ContainsFunc(r.Path, unseen)) {
		return bad("%s is no path", quote(r.Path))
	}
	return nil
}

// SetEdge sets the edge up, or changes where it listens and what it bounds. Its
// routes stay.
func (t *Topology) SetEdge(e Edge, h Host) error {
	e.Limits = e.Limits.filled()
	if t.Edge != nil {
		e.Routes = t.Edge.Routes
	}
	rest := *t
	rest.Edge = nil
	if err := rest.checkEdge(e); err != nil {
		return err
	}
	if err := rest.claim(e.claims(), t.rebuilt(h)); err != nil {
		return err
	}
	t.Edge = &e
	return nil
}

// RemoveEdge takes the edge away, with its routes.
func (t *Topology) RemoveEdge() error {
	if t.Edge == nil {
		return errNoEdge()
	}
	t.Edge = nil
	return nil
}

func errNoEdge() error {
	return fail.New(fail.NotFound, "edge", "the host has none").Try("cnet edge start --listen :80")
}

// SetRoute adds a route to the edge, or puts one in the place of that of its name.
func (t *Topology) SetRoute(r Route) error {
	if t.Edge == nil {
		return errNoEdge()
	}
	if err := t.checkRoute(r); err != nil {
		return err
	}
	e := *t.Edge
	e.Routes = append(without(e.Routes, func(o Route) bool { return o.Name() == r.Name() }), r)
	slices.SortFunc(e.Routes, func(a, b Route) int { return strings.Compare(a.Name(), b.Name()) })
	t.Edge = &e
	return nil
}

// RemoveRoute takes a route from the edge.
func (t *Topology) RemoveRoute(name string) error {
	if t.Edge == nil {
		return errNoEdge()
	}
	e := *t.Edge
	e.Routes = without(e.Routes, func(r Route) bool { return r.Name() == name })
	if len(e.Routes) == len(t.Edge.Routes) {
		return fail.New(fail.NotFound, "route "+name, "the edge has none of that name").Try("cnet edge status")
	}
	t.Edge = &e
	return nil
}

// names are the services that a route names.
func (r Route) names() (list []string) {
	for _, w := range r.To {
		list = append(list, w.Name)
	}
	for _, u := range r.Rules {
		list = append(list, u.Service)
	}
	if r.Mirror != nil {
		list = append(list, r.Mirror.Name)
	}
	if r.Failover != "" {
		list = append(list, r.Failover)
	}
	return list
}

// routed is the route of the edge that names a service, or nil.
func (t *Topology) routed(service string) *Route {
	if t.Edge == nil {
		return nil
	}
	for i, r := range t.Edge.Routes {
		if slices.Contains(r.names(), service) {
			return &t.Edge.Routes[i]
		}
	}
	return nil
}

// claims are the ports of the host at which the edge listens.
func (e Edge) claims() (list []claim) {
	for _, at := range append(slices.Clip(e.Listen), e.TLS...) {
		if a, err := ParseListen(at); err == nil {
			p := Port{HostIP: given(a.Addr()), Host: a.Port(), HostEnd: a.Port(), To: a.Port(), Proto: "tcp"}
			list = append(list, claim{p, "edge"})
		}
	}
	return list
}

// ParseListen reads an address to listen at: ADDRESS:PORT, or :PORT for all of both
// families, which is [::]:PORT.
func ParseListen(s string) (netip.AddrPort, error) {
	text := s
	if strings.HasPrefix(s, ":") {
		text = "[::]" + s
	}
	at, err := netip.ParseAddrPort(text)
	if err != nil || at.Port() == 0 || at.Addr().Zone() != "" || at.Addr().Is4In6() {
		return at, fail.New(fail.Usage, "address "+quote(s), "it is not of the form ADDRESS:PORT or :PORT").Try("--listen :80 or --listen 127.0.0.1:8080")
	}
	return at, nil
}

// The labels by which containers ask the edge for requests.
const (
	labelHost   = "edge.host"
	labelPath   = "edge.path" // without the first slash
	labelPort   = "edge.port"
	labelWeight = "edge.weight"
)

// checkEdgeLabels refuses labels of the edge's that mean nothing.
func checkEdgeLabels(labels map[string]string) error {
	for _, key := range sortedKeys(labels) {
		value := labels[key]
		if !strings.HasPrefix(key, "edge.") {
			continue
		}
		var err error
		switch key {
		case labelHost:
			err = Route{Host: value}.checkName()
		case labelPath:
			err = Route{Path: "/" + strings.Trim(value, "/")}.checkName()
		case labelPort:
			_, err = parsePort(value)
		case labelWeight:
			if n, bad := strconv.Atoi(value); bad != nil || n < 0 || n > maxWeight {
				err = fmt.Errorf("a weight is a number from 0 to %d", maxWeight)
			}
		default:
			err = fmt.Errorf("the edge knows no such label")
		}
		if err != nil {
			return fail.New(fail.Usage, "label "+quote(key+"="+value), "%w", err).
				Try("edge.host=shop.test, edge.path=cart, edge.port=8080 or edge.weight=5")
		}
	}
	return nil
}

// Labelled is a container that asks the edge for requests by its labels.
type Labelled struct {
	Container string
	Host      string
	Path      string // with its first slash; empty for all
	At        netip.AddrPort
	Weight    int
}

// Labelled are the containers that ask the edge for requests: those with a label
// edge.host or edge.path and a network, by name.
func (t *Topology) Labelled() (list []Labelled) {
	for i := range t.Containers {
		k := &t.Containers[i]
		host, ok := k.Labels[labelHost]
		path, also := k.Labels[labelPath]
		stack := t.Stack(*k)
		if !ok && !also || stack.Main() == nil {
			continue
		}
		l := Labelled{Container: k.Name, Host: strings.ToLower(host), Weight: 1}
		if path = strings.Trim(path, "/"); path != "" {
			l.Path = "/" + path
		}
		port := uint16(80)
		if p, err := parsePort(k.Labels[labelPort]); err == nil {
			port = p
		}
		if n, err := strconv.Atoi(k.Labels[labelWeight]); err == nil {
			l.Weight = n
		}
		l.At = netip.AddrPortFrom(stack.Main().IP, port)
		list = append(list, l)
	}
	return list
}
