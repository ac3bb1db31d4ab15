package topology

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/cnetlab/cnet/internal/fail"
)

// Port is a published port, or a range of them. Its text form is
// [HOSTIP:][HOSTPORT[-END]:]PORT[-END][/tcp|udp|sctp], as on the command line.
type Port struct {
	HostIP  netip.Addr // the zero Addr is every address of the host, IPv4 and IPv6
	Host    uint16     // first port on the host
	HostEnd uint16     // last port on the host
	To      uint16     // first port in the container; the rest follow in order
	Proto   string     // tcp, udp or sctp
}

// ParsePort reads the text form of a published port.
func ParsePort(spec string) (Port, error) {
	bad := func(format string, args ...any) (Port, error) {
		return Port{}, fail.New(fail.Usage, "port "+quote(spec), format, args...).
			Try("[HOSTIP:][HOSTPORT[-END]:]PORT[-END][/tcp|udp|sctp], like 8080:80 or 127.0.0.1:53:53/udp")
	}
	rest, proto, found := strings.Cut(spec, "/")
	if !found {
		proto = "tcp"
	}
	switch proto {
	case "tcp", "udp", "sctp":
	default:
		return bad("the protocol %s is not tcp, udp or sctp", quote(proto))
	}
	p := Port{Proto: proto}
	ip, rest, err := cutHostIP(rest)
	if err != nil {
		return bad("%w", err)
	}
	p.HostIP = ip
	host, to, found := strings.Cut(rest, ":")
	if !found {
		host, to = rest, rest
	}
	if p.Host, p.HostEnd, err = parseRange(host); err != nil {
		return bad("%w", err)
	}
	first, last, err := parseRange(to)
	if err != nil {
		return bad("%w", err)
	}
	if p.HostEnd-p.Host != last-first {
		return bad("the two ranges are not of the same length (%d and %d)", p.HostEnd-p.Host+1, last-first+1)
	}
	p.To = first
	return p, nil
}

// cutHostIP takes the host address off the front of a spec, if there is one.
func cutHostIP(s string) (netip.Addr, string, error) {
	text, rest := "", s
	if strings.HasPrefix(s, "[") {
		end := strings.Index(s, "]:")
		if end < 0 {
			return netip.Addr{}, "", fmt.Errorf("an IPv6 address is written [ADDRESS]:PORT")
		}
		text, rest = s[1:end], s[end+2:]
	} else if strings.Contains(s, ".") || strings.Count(s, ":") == 2 {
		text, rest, _ = strings.Cut(s, ":")
	} else if strings.Count(s, ":") > 2 {
		return netip.Addr{}, "", fmt.Errorf("it has too many colons (an IPv6 address is written [ADDRESS]:PORT)")
	}
	if text == "" && rest == s {
		return netip.Addr{}, s, nil
	}
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.Zone() != "" || ip.Is4In6() {
		return netip.Addr{}, "", fmt.Errorf("%s is not an IP address", quote(text))
	}
	if ip.IsMulticast() || ip.IsLinkLocalUnicast() {
		return netip.Addr{}, "", fmt.Errorf("%s is not an address that a port can be published on", ip)
	}
	return ip, rest, nil
}

func parseRange(s string) (first, last uint16, err error) {
	a, b, found := strings.Cut(s, "-")
	if first, err = parsePort(a); err != nil {
		return 0, 0, err
	}
	if !found {
		return first, first, nil
	}
	if last, err = parsePort(b); err != nil {
		return 0, 0, err
	}
	if last < first {
		return 0, 0, fmt.Errorf("the range %s runs backwards", s)
	}
	return first, last, nil
}

func parsePort(s string) (uint16, error) {
	for _, r := range s {
		if r < '0' || r > '9' {
			return 0, fmt.Errorf("%s is not a port number", quote(s))
		}
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if s == "" || err != nil || n == 0 {
		return 0, fmt.Errorf("%s is not a port: ports run from 1 to 65535", quote(s))
	}
	return uint16(n), nil
}

// String is the text form of the port, in full.
func (p Port) String() string {
	s := ""
	switch {
	case p.HostIP.Is6():
		s = "[" + p.HostIP.String() + "]:"
	case p.HostIP.IsValid():
		s = p.HostIP.String() + ":"
	}
	return s + span(p.Host, p.HostEnd) + ":" + span(p.To, p.ToEnd()) + "/" + p.Proto
}

func span(a, b uint16) string {
	if a == b {
		return strconv.Itoa(int(a))
	}
	return fmt.Sprintf("%d-%d", a, b)
}

// ToEnd is the last port in the container.
func (p Port) ToEnd() uint16 { return p.To + p.HostEnd - p.Host }

// MarshalText makes a port its text form in JSON and YAML.
func (p Port) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the text form.
func (p *Port) UnmarshalText(text []byte) error {
	q, err := ParsePort(string(text))
	if err != nil {
		return err
	}
	*p = q
	return nil
}

// Serves reports whether the port answers on addresses of the family.
func (p Port) Serves(ipv6 bool) bool {
	return !p.HostIP.IsValid() || p.HostIP.Is6() == ipv6
}

// Loopback reports whether the port answers on 127.0.0.1.
func (p Port) Loopback() bool {
	return p.Serves(false) && (!p.HostIP.IsValid() || p.HostIP.IsUnspecified() || p.HostIP.IsLoopback())
}

// SilentOn6 reports whether someone may expect the port on ::1, where no
// published port answers.
func (p Port) SilentOn6() bool { return p.Serves(true) && !given(p.HostIP).IsValid() }

// Overlaps reports whether p and q want the same port of the host.
func (p Port) Overlaps(q Port) bool {
	if p.Proto != q.Proto || p.HostEnd < q.Host || q.HostEnd < p.Host {
		return false
	}
	if !p.HostIP.IsValid() || !q.HostIP.IsValid() {
		return true
	}
	if p.HostIP.Is6() != q.HostIP.Is6() {
		return false
	}
	return p.HostIP == q.HostIP || p.HostIP.IsUnspecified() || q.HostIP.IsUnspecified()
}
