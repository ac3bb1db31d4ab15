package probe

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/cnetlab/cnet/internal/fail"
)

// What is asked of a target.
const (
	HTTP = "http" // GET Path
	TCP  = "tcp"  // a handshake, nothing more
	UDP  = "udp"  // a datagram, and an answer to it
)

// Target is whom a probe asks. It marshals as its text.
type Target struct {
	Scheme string // HTTP, TCP or UDP
	Host   string // an IP address or a host name
	Port   uint16
	Path   string // of HTTP: the path with its query, "/" at least
}

// Parse reads http://HOST[:PORT]/PATH, HOST:PORT (the same as tcp://HOST:PORT)
// or udp://HOST:PORT. An IPv6 address stands in brackets. Errors are of kind
// fail.Usage.
func Parse(s string) (Target, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		scheme, rest = TCP, s
	}
	switch strings.ToLower(scheme) {
	case HTTP:
		return parseURL(s)
	case TCP, UDP:
		return parseHostPort(s, strings.ToLower(scheme), rest)
	case "https":
		return Target{}, bad(s, "https is not supported: encryption happens above the network and says nothing about it").
			Try("probe the port itself: HOST:443")
	}
	return Target{}, bad(s, "the scheme must be http, tcp or udp")
}

func parseURL(s string) (Target, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return Target{}, bad(s, "this is not a URL").Try("http://HOST:PORT/")
	case u.User != nil:
		return Target{}, bad(s, "a probe sends no user name or password")
	}
	host, port := u.Hostname(), u.Port()
	if port == "" && strings.HasSuffix(u.Host, ":") {
		return Target{}, bad(s, "the port after the colon is missing")
	}
	if port == "" {
		port = "80"
	}
	return newTarget(s, Target{Scheme: HTTP, Host: host, Path: u.RequestURI()}, port)
}

func parseHostPort(s, scheme, rest string) (Target, error) {
	host, port, err := net.SplitHostPort(rest)
	switch {
	case s == "":
		return Target{}, bad(s, "a target is HOST:PORT or a URL like http://HOST:PORT/")
	case strings.Contains(rest, "/"):
		return Target{}, bad(s, "only http has paths").Try("http://HOST:PORT/PATH")
	case err != nil && strings.Count(rest, ":") > 1:
		return Target{}, bad(s, "an IPv6 address needs brackets and a port").Try("[fd77::2]:80")
	case err != nil:
		return Target{}, bad(s, "the port is missing").Try("HOST:80, or http://HOST/")
	}
	return newTarget(s, Target{Scheme: scheme, Host: host}, port)
}

func newTarget(s string, t Target, port string) (Target, error) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return Target{}, bad(s, "a port is a number from 1 to 65535")
	}
	if why := checkHost(t.Host); why != "" {
		return Target{}, bad(s, why)
	}
	t.Port = uint16(n)
	return t, nil
}

var (
	nameForm   = form(`^[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,62})(\.[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,62}))*\.?$`)
	digitsForm = form(`^(.*\.)?[0-9]+\.?$`)
	zoneForm   = form(`^[a-zA-Z0-9_.-]*$`)
)

// form is an expression that is compiled when it is first asked for: most
// commands of cnet never do.
func form(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// checkHost says what is wrong with a host, if anything. A name whose last
// label is a number is a mistyped address: RFC 3696, section 2.
func checkHost(host string) (why string) {
	if ip, err := netip.ParseAddr(host); err == nil {
		if !zoneForm().MatchString(ip.Zone()) {
			return "the link after % has a name that no link has"
		}
		return ""
	}
	switch {
	case host == "":
		return "the host is missing"
	case digitsForm().MatchString(host), strings.Contains(host, ":"):
		return "the host is not an IP address, though it looks like one"
	case len(host) > 253 || !nameForm().MatchString(host):
		return "the host is neither an IP address nor a host name"
	}
	return ""
}

// String is what Parse reads.
func (t Target) String() string {
	if t.Scheme != HTTP {
		return t.Scheme + "://" + t.address()
	}
	return HTTP + "://" + strings.Replace(t.address(), "%", "%25", 1) + t.Path
}

// address is HOST:PORT.
func (t Target) address() string {
	return net.JoinHostPort(t.Host, strconv.Itoa(int(t.Port)))
}

// MarshalText is String.
func (t Target) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText is Parse.
func (t *Target) UnmarshalText(text []byte) (err error) {
	*t, err = Parse(string(text))
	return err
}

func bad(s, why string) *fail.Error {
	if len(s) > 60 {
		s = s[:60] + "…"
	}
	return fail.New(fail.Usage, "target "+strconv.Quote(s), "%s", why)
}
