package serve

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/sockets"
	"golang.org/x/sys/unix"
)

func (s *Server) check() error {
	bad := func(what, why string) error { return fail.New(fail.Usage, what, "%s", why) }
	switch {
	case s.FailRate < 0 || s.FailRate > 100:
		return bad(fmt.Sprintf("fail rate %d", s.FailRate), "it is a percentage, from 0 to 100")
	case s.Latency < 0:
		return bad("latency "+s.Latency.String(), "it cannot be negative")
	case s.Backlog < 0:
		return bad(fmt.Sprintf("backlog %d", s.Backlog), "it cannot be negative")
	case s.UDP && s.NoAccept:
		return bad("no accept", "datagrams are not accepted in the first place")
	case s.listening:
		return errors.New("the server listens already")
	}
	return nil
}

// inWords says why the kernel would not give the address.
func (s *Server) inWords(at endpoint, err error) error {
	what := fmt.Sprintf("listen on %s", at)
	port, ss := at.Port(), "ss -ltnp"
	if s.UDP {
		ss = "ss -lunp"
	}
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return fail.New(fail.Conflict, what, "%s: %w", s.holder(at), err).Try("%s 'sport = :%d'", ss, port)
	case errors.Is(err, unix.EACCES):
		return fail.New(fail.NotPermitted, what, "ports below net.ipv4.ip_unprivileged_port_start (usually 1024) need root or CAP_NET_BIND_SERVICE: %w", err).
			Try("choose a port from 1024 on")
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fail.New(fail.Failed, what, "no link of this network namespace has the address %s: %w", at.Addr(), err).
			Try("ip address")
	case errors.Is(err, unix.EAFNOSUPPORT):
		return fail.New(fail.HostLacks, what, "this kernel has IPv6 switched off: %w", err)
	}
	return fail.New(fail.Failed, what, "%w", err)
}

// holder tells who has the address already.
func (s *Server) holder(at endpoint) string {
	proto, ip := "tcp", at.Addr()
	if s.UDP {
		proto = "udp"
	}
	if at.dual {
		ip = netip.Addr{}
	}
	list, err := sockets.Waiting(proto)
	if other := sockets.At(list, ip, at.Port(), at.Port()); err == nil && other != nil {
		return other.Holder() + " listens there"
	}
	return fmt.Sprintf("another socket of this network namespace owns %s port %d", strings.ToUpper(proto), at.Port())
}
