package edge

import (
	"time"

	"github.com/cnetlab/cnet/internal/proxy"
)

// Config is what the edge must know.
type Config struct {
	Limits       Limits    `json:"limits"`
	Services     []Service `json:"services,omitempty"`
	Routes       []Route   `json:"routes,omitempty"`
	Certificates []Pair    `json:"certificates,omitempty"`
}

// Pair is a certificate with those that sign it, and its key, in PEM.
type Pair struct {
	Certificate []byte `json:"certificate"`
	Key         []byte `json:"key"`
}

// Limits bound what a client may ask for.
type Limits struct {
	Header      int           `json:"header"`      // bytes of a request's line and headers
	Body        int64         `json:"body"`        // bytes of a request's body
	HeaderTime  time.Duration `json:"headerTime"`  // until the headers are there
	RequestTime time.Duration `json:"requestTime"` // until all of a request is there
	AnswerTime  time.Duration `json:"answerTime"`  // until a backend's answer begins
	IdleTime    time.Duration `json:"idleTime"`    // between requests, and of a client who does not read
	Connections int           `json:"connections"` // at once, at each address; more wait
}

// Service is a group of backends.
type Service struct {
	Name     string          `json:"name"`
	Backends []proxy.Backend `json:"backends,omitempty"`
}

// Route leads requests to services.
type Route struct {
	Host string `json:"host,omitempty"` // "shop.test", "*.shop.test", or empty for all
	Path string `json:"path,omitempty"` // whole segments from the front: "/cart"; empty for all
	// To are the services, and their parts of the requests that no rule is about.
	To     []Target `json:"to"`
	Rules  []Rule   `json:"rules,omitempty"`  // the first that fits decides
	Sticky string   `json:"sticky,omitempty"` // the cookie that keeps a client at its backend
	// Mirror is sent a copy of so many requests of a hundred.
	Mirror   string `json:"mirror,omitempty"`
	Percent  int    `json:"percent,omitempty"`
	Failover string `json:"failover,omitempty"` // the service for when all others fail
}

// Target is a service and its weight.
type Target struct {
	Service string `json:"service"`
	Weight  int    `json:"weight"`
}

// Rule leads requests with a header, or a cookie, of a value to a service.
type Rule struct {
	Header  string `json:"header,omitempty"`
	Cookie  string `json:"cookie,omitempty"`
	Value   string `json:"value"`
	Service string `json:"service"`
}
