package serve

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"
)

// heldMax is how many answers may be held back for the latency at a time;
// datagrams beyond it are lost, as datagrams may be.
const heldMax = 1024

// runUDP answers datagrams. There is no connection, so each says whence it
// came, and with IP_PKTINFO also which address it was sent to. The answer must
// leave from that address: a client, or the NAT before it, knows no other.
func (s *Server) runUDP(ctx context.Context) error {
	var held sync.WaitGroup
	defer held.Wait()
	serving, cancel := context.WithCancel(ctx)
	defer cancel()
	room := make(chan struct{}, heldMax)

	for {
		d, err := s.receive()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !passing(err) && !scarce(err):
			return fmt.Errorf("receive on %s: %w", s.local, err)
		case err != nil || d.isAnswer() || s.fails():
			continue
		case s.Latency == 0:
			s.send(d)
			continue
		}
		select {
		case room <- struct{}{}:
		default:
			continue
		}
		held.Add(1)
		go func() {
			defer held.Done()
			defer func() { <-room }()
			if s.hold(serving) {
				s.send(d)
			}
		}()
	}
}

// datagram is what came, from where, and to which of the server's addresses.
type datagram struct {
	from unix.Sockaddr
	to   netip.AddrPort
	data []byte
}

// isAnswer keeps two such servers from answering each other for ever.
func (d datagram) isAnswer() bool { return bytes.HasPrefix(d.data, []byte("name  ")) }

func (s *Server) receive() (datagram, error) {
	data, control := make([]byte, 2048), make([]byte, 128)
	n, nc, _, from, err := unix.Recvmsg(s.fd, data, control, 0)
	if err != nil {
		s.kernel().told("", n, err, "recvmsg(%d)", s.fd)
		return datagram{}, err
	}
	if from == nil { // woken by shutdown
		s.kernel().told("no datagram: the wait is over", n, nil, "recvmsg(%d)", s.fd)
		return datagram{}, unix.ECONNABORTED
	}
	d := datagram{from: from, to: s.sentTo(control[:nc]), data: data[:n]}
	s.kernel().told("a datagram; no connection, no handshake", n, nil,
		"recvmsg(%d, from %s, to %s)", s.fd, shown(addrPort(from)), d.to.Addr())
	return d, nil
}

// sentTo reads the address that a datagram was sent to: struct in_pktinfo of
// ip(7), struct in6_pktinfo of ipv6(7).
func (s *Server) sentTo(control []byte) netip.AddrPort {
	messages, _ := unix.ParseSocketControlMessage(control)
	for _, m := range messages {
		switch {
		case m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_PKTINFO && len(m.Data) >= unix.SizeofInet4Pktinfo:
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte(m.Data[4:8])), s.local.Port())
		case m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_PKTINFO && len(m.Data) >= unix.SizeofInet6Pktinfo:
			return netip.AddrPortFrom(netip.AddrFrom16([16]byte(m.Data[:16])).Unmap(), s.local.Port())
		}
	}
	return s.local
}

func (s *Server) send(d datagram) {
	client := addrPort(d.from)
	answer := []byte(s.lines(client, d.to, fmt.Sprintf("%q", bytes.TrimRight(d.data, "\r\n"))))
	n, err := unix.SendmsgN(s.fd, answer, source(d), d.from, 0)
	s.kernel().told("the answer, from the address that was asked", n, err,
		"sendmsg(%d, %d bytes, from %s, to %s)", s.fd, len(answer), d.to.Addr(), client)
	s.log("%s  %s  udp", client, printable(fmt.Sprintf("%q", d.data)))
}

// source asks the kernel for the address that an answer leaves from. A socket
// of IPv6 wants it in IPv6's form for an IPv4 client too.
func source(d datagram) []byte {
	ip := d.to.Addr()
	if _, ok := d.from.(*unix.SockaddrInet4); ok {
		return unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: ip.As4()})
	}
	return unix.PktInfo6(&unix.Inet6Pktinfo{Addr: ip.As16()})
}
