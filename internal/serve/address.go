package serve

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/cnetlab/cnet/internal/fail"
	"golang.org/x/sys/unix"
)

// endpoint is an address to bind to. A dual one is :: with IPv4 let in.
type endpoint struct {
	netip.AddrPort
	dual  bool
	scope uint32 // the link of a link-local address, by its index
}

func (e endpoint) family() int {
	if e.Addr().Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func (e endpoint) sockaddr() unix.Sockaddr {
	if e.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(e.Port()), Addr: e.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(e.Port()), Addr: e.Addr().As16(), ZoneId: e.scope}
}

// addrPort shows IPv4 clients of an IPv6 socket as what they are. A zone is
// kept by its number: the name belongs to the socket's namespace, and the
// calling thread may be in another.
func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(sa.Addr).Unmap()
		if sa.ZoneId != 0 {
			ip = ip.WithZone(strconv.Itoa(int(sa.ZoneId)))
		}
		return netip.AddrPortFrom(ip, uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// parseAddr reads [Server.Addr].
func parseAddr(s string) (endpoint, error) {
	bad := func(why string) (endpoint, error) {
		return endpoint{}, fail.New(fail.Usage, "address "+printable(s), "%s", why).Try("--addr :5000 or --addr 127.0.0.1:5000")
	}
	host, digits, err := net.SplitHostPort(s)
	if err != nil {
		return bad("an address is HOST:PORT, :PORT or [IPV6]:PORT")
	}
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return bad("a port is a number from 0 to 65535")
	}
	if host == "" {
		return endpoint{AddrPort: netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(port)), dual: true}, nil
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return bad("a server is bound to an IP address, not to a name")
	}
	scope, err := scopeOf(ip)
	if err != nil {
		return bad("this network namespace has no link " + printable(ip.Zone()))
	}
	return endpoint{AddrPort: netip.AddrPortFrom(ip.Unmap(), uint16(port)), scope: scope}, nil
}

// scopeOf is the index of the link that a link-local address names.
func scopeOf(ip netip.Addr) (uint32, error) {
	if ip.Zone() == "" {
		return 0, nil
	}
	link, err := net.InterfaceByName(ip.Zone())
	if err != nil {
		return 0, err
	}
	return uint32(link.Index), nil
}

// printable shows what a stranger sent, without what could steer a terminal.
func printable(s string) string {
	const most = 120
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	for _, r := range s {
		if !strconv.IsPrint(r) || r == '\uFFFD' {
			return strconv.Quote(s)
		}
	}
	return s
}
