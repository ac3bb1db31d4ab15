package edge

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/cnetlab/cnet/internal/proxy"
)

// state is what follows from a configuration. Requests end with the one that they
// began with.
type state struct {
	config       Config
	table        table
	routes       []*route
	pools        map[string]*proxy.Pool // by service
	certificates []tls.Certificate
}

// route is a route with its shares.
type route struct {
	Route
	state    *state
	services *proxy.Pool // whose backends are services
	copies   atomic.Uint64
	meters   map[string]*meter // by service and backend
}

// stateOf refuses certificates that cannot be, and routes to services that are not.
func (e *Edge) stateOf(c Config) (*state, error) {
	s := &state{config: c, pools: make(map[string]*proxy.Pool, len(c.Services))}
	old := e.state.Load()
	for _, v := range c.Services {
		s.pools[v.Name] = old.pools[v.Name].Renewed(v.Backends)
	}
	for _, p := range c.Certificates {
		cert, err := tls.X509KeyPair(p.Certificate, p.Key)
		if err != nil {
			return nil, fmt.Errorf("read a certificate: %w", err)
		}
		s.certificates = append(s.certificates, cert)
	}
	for _, r := range c.Routes {
		live := &route{Route: r, state: s, meters: make(map[string]*meter)}
		var parts []proxy.Backend
		for _, t := range r.To {
			parts = append(parts, proxy.Backend{Name: t.Service, Weight: t.Weight})
		}
		live.services = old.shares(r.name()).Renewed(parts)
		if r.Mirror != "" && s.pools[r.Mirror] == nil {
			return nil, noService(r, r.Mirror)
		}
		live.meters[nobody] = e.meterOf(r, "", "")
		for _, name := range r.names() {
			if s.pools[name] == nil {
				return nil, noService(r, name)
			}
			for _, b := range s.pools[name].Backends() {
				live.meters[name+" "+b.Name] = e.meterOf(r, name, b.Name)
			}
		}
		s.routes = append(s.routes, live)
	}
	s.table = newTable(s.routes)
	return s, nil
}

func noService(r Route, name string) error {
	return fmt.Errorf("route %s%s: there is no service %s", r.Host, r.Path, name)
}

// nobody is the key of the meter of requests for which there was no backend.
const nobody = " "

// shares are those of the services of a route, by its name; nil if there is none.
func (s *state) shares(name string) *proxy.Pool {
	if i := slices.IndexFunc(s.routes, func(r *route) bool { return r.name() == name }); i >= 0 {
		return s.routes[i].services
	}
	return nil
}

// names are the services that answer for a route, each once.
func (r Route) names() (list []string) {
	add := func(name string) {
		if name != "" && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	for _, t := range r.To {
		add(t.Service)
	}
	for _, u := range r.Rules {
		add(u.Service)
	}
	add(r.Failover)
	return list
}

// way is what is decided of a request: its service, and the backend that it sticks
// to, if any.
type way struct {
	service string
	stick   proxy.Backend
}

// decide says where a request goes: where a rule says, else to the backend that it
// sticks to, else by the weights of the services that have a backend.
func (s *state) decide(r *route, req *http.Request, open func(proxy.Backend) bool) (w way) {
	for _, u := range r.Rules {
		if u.fits(req) {
			w.service = u.Service
			break
		}
	}
	usable := func(b proxy.Backend) bool { return !open(b) }
	if r.Sticky != "" {
		if id, err := req.Cookie(r.Sticky); err == nil {
			for _, name := range r.sticking(w.service) {
				for _, b := range s.pools[name].Backends() {
					if idOf(name, b) == id.Value && usable(b) {
						return way{name, b}
					}
				}
			}
		}
	}
	if w.service == "" {
		if t, ok := r.services.Next(func(t proxy.Backend) bool { return slices.ContainsFunc(s.pools[t.Name].Backends(), usable) }); ok {
			w.service = t.Name
		} else if len(r.To) > 0 {
			w.service = r.To[0].Service
		}
	}
	return w
}

// sticking are the services at whose backends a client may stick: that of a rule alone.
func (r *route) sticking(service string) (list []string) {
	if service != "" {
		return []string{service}
	}
	for _, t := range r.To {
		list = append(list, t.Service)
	}
	return list
}

func (u Rule) fits(r *http.Request) bool {
	if u.Cookie != "" {
		c, err := r.Cookie(u.Cookie)
		return err == nil && c.Value == u.Value
	}
	return slices.Contains(r.Header.Values(u.Header), u.Value)
}

// idOf is the word for a backend in a sticky cookie, which tells nothing of it.
func idOf(service string, b proxy.Backend) string {
	sum := sha256.Sum256([]byte("cnet edge\x00" + service + "\x00" + b.Name))
	return hex.EncodeToString(sum[:8])
}

// choice is the order in which backends are tried: the one that the client sticks
// to, the others of the service, then those of the failover.
func (s *state) choice(r *route, w way, open func(proxy.Backend) bool, picked func(service string, b proxy.Backend)) proxy.Choice {
	return func(tried []proxy.Backend) (proxy.Backend, error) {
		fresh := func(b proxy.Backend) bool { return !open(b) && !slices.Contains(tried, b) }
		if w.stick.Name != "" && fresh(w.stick) {
			picked(w.service, w.stick)
			return w.stick, nil
		}
		none := true
		for _, name := range []string{w.service, r.Failover} {
			pool := s.pools[name]
			if pool == nil {
				continue
			}
			none = none && len(pool.Backends()) == 0
			if b, ok := pool.Next(fresh); ok {
				picked(name, b)
				return b, nil
			}
		}
		if none {
			return proxy.Backend{}, proxy.ErrNone
		}
		return proxy.Backend{}, proxy.ErrOpen
	}
}
