package edge

import (
	"net"
	"net/http"
	"path"
	"sort"
	"strings"
)

// table finds the route of a request: of the hosts that fit the one that says
// most, then of its paths the longest.
type table struct {
	hosts []host // those that say most first
}

type host struct {
	name  string
	paths []*route // the longest first
}

func newTable(routes []*route) table {
	byHost := make(map[string]*host)
	for _, r := range routes {
		h := byHost[r.Host]
		if h == nil {
			h = &host{name: strings.ToLower(r.Host)}
			byHost[r.Host] = h
		}
		h.paths = append(h.paths, r)
	}
	var t table
	for _, h := range byHost {
		sort.SliceStable(h.paths, func(i, j int) bool { return len(h.paths[i].Path) > len(h.paths[j].Path) })
		t.hosts = append(t.hosts, *h)
	}
	sort.Slice(t.hosts, func(i, j int) bool { return t.hosts[i].before(t.hosts[j]) })
	return t
}

// before: a name before a pattern, a long pattern before a short one, all hosts last.
func (h host) before(o host) bool {
	if a, b := strings.HasPrefix(h.name, "*."), strings.HasPrefix(o.name, "*."); a != b {
		return h.name != "" && (b || o.name == "")
	}
	if len(h.name) != len(o.name) {
		return len(h.name) > len(o.name)
	}
	return h.name < o.name
}

// find is the route of a request; nil if there is none.
func (t table) find(r *http.Request) *route {
	name, at := hostOf(r.Host), path.Clean("/"+r.URL.Path) // which a backend may read so
	for _, h := range t.hosts {
		if !h.fits(name) {
			continue
		}
		for _, r2 := range h.paths {
			if under(at, r2.Path) {
				return r2
			}
		}
	}
	return nil
}

func (h host) fits(name string) bool {
	if suffix, ok := strings.CutPrefix(h.name, "*"); ok {
		return len(name) > len(suffix) && strings.HasSuffix(name, suffix)
	}
	return h.name == "" || h.name == name
}

// hostOf is the name that a request asks for, without port and last dot.
func hostOf(s string) string {
	if h, _, err := net.SplitHostPort(s); err == nil {
		s = h
	}
	return strings.ToLower(strings.TrimSuffix(s, "."))
}

// under reports whether a path is a prefix's, or below it.
func under(path, prefix string) bool {
	prefix = strings.TrimSuffix(prefix, "/")
	return strings.HasPrefix(path, prefix) && (len(path) == len(prefix) || path[len(prefix)] == '/')
}
