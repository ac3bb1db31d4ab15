package topology

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/cnetlab/cnet/internal/fail"
)

// Kinds of checks.
const (
	CheckTCP  = "tcp"
	CheckHTTP = "http"
)

// maxAffinity is the longest that a client keeps its backend, in seconds.
const maxAffinity = 24 * 60 * 60

// checkWords refuses a service whose words mean nothing, or contradict each other.
func (s Service) checkWords() error {
	bad := func(format string, args ...any) error {
		return fail.New(fail.Usage, "service "+s.Name, format, args...)
	}
	switch {
	case s.Mode != "" && s.Mode != Exact:
		return fail.New(fail.Usage, "service "+s.Name, "there is no mode %s", quote(s.Mode)).Try("--mode random, or --mode exact")
	case s.Affinity < 0 || s.Affinity > maxAffinity:
		return fail.New(fail.Usage, "service "+s.Name, "an affinity of %d seconds is out of range: it runs from 1 to %d (a day)", s.Affinity, maxAffinity).Try("--affinity 3h")
	case s.GroupBy != "" && !labelForm(s.GroupBy):
		return bad("%s is no key of a label", quote(s.GroupBy))
	}
	if err := checkLabels(s.Selector); err != nil {
		return err
	}
	for i, w := range s.Weights {
		if !labelForm(w.Name) || w.Weight < 0 || w.Weight > maxWeight {
			return bad("the weight %s is not from 0 to %d, or not of a backend or a group", quote(w.String()), maxWeight)
		}
		if slices.ContainsFunc(s.Weights[:i], func(o Weight) bool { return o.Name == w.Name }) {
			return bad("%s has two weights", w.Name)
		}
	}
	if s.Check != nil {
		if err := s.Check.check(); err != nil {
			return err
		}
	}
	return s.checkPorts()
}

// checkPorts refuses ports that cannot be, and those that a headless service has no use for.
func (s Service) checkPorts() error {
	what := "service " + s.Name
	if s.Headless {
		if len(s.Publish)+len(s.Weights)+s.Affinity > 0 || s.Mode != "" || s.VIP.IsValid() || s.VIP6.IsValid() {
			return fail.New(fail.Usage, what, "it is headless, a name only: it has no address, shares or published ports")
		}
	} else if len(s.Ports) == 0 {
		return fail.New(fail.Usage, what, "it has no port").Try("--port 80, --port 80:8080 or --headless")
	}
	for i, p := range s.Ports {
		if p.Port == 0 || p.To == 0 || p.Proto != "tcp" && p.Proto != "udp" {
			return fail.New(fail.Usage, what, "%s is not a port of TCP or UDP", quote(p.String()))
		}
		if slices.ContainsFunc(s.Ports[:i], func(o ServicePort) bool { return o.Port == p.Port && o.Proto == p.Proto }) {
			return fail.New(fail.Usage, what, "it has its port %d/%s twice", p.Port, p.Proto)
		}
	}
	for _, p := range s.Publish {
		if p.Host != p.HostEnd {
			return fail.New(fail.Usage, what, "it publishes the range %s; a service publishes port by port", p).Try("--publish once for each")
		}
		if _, has := s.port(p); !has {
			return fail.New(fail.Usage, what, "it publishes %s, and has no port %d/%s of its own", p, p.To, p.Proto).Try("--port %d/%s", p.To, p.Proto)
		}
	}
	return nil
}

// port is the service's port that a published one leads to.
func (s Service) port(p Port) (ServicePort, bool) {
	for _, sp := range s.Ports {
		if sp.Port == p.To && sp.Proto == p.Proto {
			return sp, true
		}
	}
	return ServicePort{}, false
}

// check refuses a check that cannot be done.
func (c Check) check() error {
	bad := func(format string, args ...any) error {
		return fail.New(fail.Usage, "check "+quote(strings.TrimSuffix(c.Kind+":"+c.Path, ":")), format, args...).Try("--check tcp, or --check http:/healthz")
	}
	switch {
	case c.Kind != CheckTCP && c.Kind != CheckHTTP:
		return bad("there is no such kind")
	case c.Kind == CheckTCP && c.Path != "":
		return bad("a check by tcp has no path")
	case c.Kind == CheckHTTP && c.Path != "" && (c.Path[0] != '/' || len(c.Path) > 1024 || strings.ContainsFunc(c.Path, unseen)):
		return bad("%s is no path", quote(c.Path))
	case c.Failures < 0 || c.Passes < 0 || c.Failures > 1000 || c.Passes > 1000:
		return bad("failures and passes are counted from 1 to 1000")
	}
	for _, d := range []string{c.Every, c.Timeout} {
		if n, err := time.ParseDuration(d); d != "" && (err != nil || n < 10*time.Millisecond || n > 24*time.Hour) {
			return bad("%s is not a time from 10ms to 24h", quote(d))
		}
	}
	return nil
}

func unseen(r rune) bool { return r >= unicode.MaxASCII || r <= ' ' }

// filled is the check with what was left to cnet.
func (c Check) filled() Check {
	if c.Kind == CheckHTTP {
		keep(&c.Path, "/")
	}
	keep(&c.Every, "1s")
	keep(&c.Timeout, "1s")
	keep(&c.Failures, 3)
	keep(&c.Passes, 1)
	return c
}

// services checks what a topology that was read says of services.
func (c checker) services() error {
	seen := make(map[netip.Addr]bool)
	for i, s := range c.topo.Services {
		if err := c.service(i, s, seen); err != nil {
			return &Fault{"service", s.Name, err}
		}
	}
	return nil
}

func (c checker) service(i int, s Service, seen map[netip.Addr]bool) error {
	if err := CheckName("service", s.Name); err != nil {
		return err
	}
	if i > 0 && c.topo.Services[i-1].Name >= s.Name {
		return fmt.Errorf("the services are not in the order of their names, or two have this one")
	}
	n, err := c.topo.Network(s.Network)
	if err != nil {
		return err
	}
	if err := s.checkWords(); err != nil {
		return err
	}
	for _, p := range s.Publish {
		if err := n.admits("service "+s.Name, p); err != nil {
			return err
		}
	}
	if err := c.topo.checkBackends(s); err != nil {
		return err
	}
	if s.Headless {
		return nil
	}
	if !s.VIP.Is4() || s.VIP6.IsValid() != n.IPv6 {
		return fmt.Errorf("it has not one address of each family of network %s", n.Name)
	}
	for _, ip := range s.vips() {
		if err := checkVIP(ip, map[bool]netip.Prefix{false: vips4, true: vips6}[ip.Is6()]); err != nil {
			return err
		}
		if seen[ip] {
			return fmt.Errorf("another service has its address %s", ip)
		}
		if hit, ok := meets(single(ip), c.topo.subnets()); ok {
			return fmt.Errorf("its address %s lies in %s", ip, hit.By)
		}
		seen[ip] = true
	}
	return nil
}
