package names

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// Port is that of DNS, over UDP and TCP.
const Port = 53

// Gateways are the addresses at which the server of a book listens.
func (b Book) Gateways() (list []netip.AddrPort) {
	seen := make(map[netip.Addr]bool)
	for _, n := range b.Networks {
		for _, ip := range n.Gateways {
			if !seen[ip] {
				list = append(list, netip.AddrPortFrom(ip, Port))
			}
			seen[ip] = true
		}
	}
	return list
}

// Open opens the two sockets of an address, which need not be there yet
// (IP_FREEBIND in ip(7)): a bridge comes and goes.
func Open(ctx context.Context, at netip.AddrPort) ([]syscall.Conn, error) {
	udp, tcp, err := open(ctx, at)
	if err != nil {
		return nil, err
	}
	return []syscall.Conn{udp, tcp}, nil
}

func open(ctx context.Context, at netip.AddrPort) (*net.UDPConn, *net.TCPListener, error) {
	c := net.ListenConfig{Control: freebind}
	udp, err := c.ListenPacket(ctx, "udp", at.String())
	if err != nil {
		return nil, nil, fmt.Errorf("listen for names: %w", err)
	}
	tcp, err := c.Listen(ctx, "tcp", at.String())
	if err != nil {
		udp.Close()
		return nil, nil, fmt.Errorf("listen for names: %w", err)
	}
	return udp.(*net.UDPConn), tcp.(*net.TCPListener), nil
}

func freebind(network, _ string, c syscall.RawConn) (err error) {
	level, option := unix.IPPROTO_IP, unix.IP_FREEBIND
	if network == "udp6" || network == "tcp6" {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_FREEBIND
	}
	ctl := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), level, option, 1) })
	if ctl != nil {
		return ctl
	}
	return err
}
