package sidecar

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/pkg/nat"
)

// Open opens the socket at an address of one family.
func Open(ctx context.Context, at netip.AddrPort) ([]syscall.Conn, error) {
	network := "tcp4"
	if at.Addr().Is6() {
		network = "tcp6"
	}
	l, err := new(net.ListenConfig).Listen(ctx, network, at.String())
	if err != nil {
		return nil, fmt.Errorf("listen for a container: %w", err)
	}
	return []syscall.Conn{l.(*net.TCPListener)}, nil
}

// Privileges are the capabilities that marking a socket takes: to send raw packets
// or, before Linux 5.17, to administer the network (capabilities(7), SO_MARK in
// socket(7)).
func Privileges() []uintptr {
	var u unix.Utsname
	major, minor := 0, 0
	if unix.Uname(&u) == nil {
		_, _ = fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor)
	}
	if major > 5 || major == 5 && minor >= 17 {
		return []uintptr{unix.CAP_NET_RAW}
	}
	return []uintptr{unix.CAP_NET_ADMIN}
}

// marked is a dialer whose packets bear the proxy's mark.
func marked() *net.Dialer {
	return &net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		ctl := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, nat.OwnMark)
		})
		if ctl != nil {
			return ctl
		}
		if err != nil {
			return fmt.Errorf("mark a socket: %w", err)
		}
		return nil
	}}
}

// OriginalDst is where a connection was to go before a rule led it here. One that
// no rule led has its own address.
func OriginalDst(c *net.TCPConn) (at netip.AddrPort, err error) {
	const original = 80 // SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST
	raw, err := c.SyscallConn()
	if err != nil {
		return at, err
	}
	local := c.LocalAddr().(*net.TCPAddr).AddrPort()
	ctl := raw.Control(func(fd uintptr) {
		if local.Addr().Unmap().Is4() {
			var a *unix.IPv6Mreq // is as long as a struct sockaddr_in
			if a, err = unix.GetsockoptIPv6Mreq(int(fd), unix.SOL_IP, original); err == nil {
				b := a.Multiaddr
				at = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), uint16(b[2])<<8|uint16(b[3]))
			}
			return
		}
		var a *unix.IPv6MTUInfo // begins with a struct sockaddr_in6
		if a, err = unix.GetsockoptIPv6MTUInfo(int(fd), unix.SOL_IPV6, original); err == nil {
			port := binary.NativeEndian.AppendUint16(nil, a.Addr.Port) // which is in network byte order
			at = netip.AddrPortFrom(netip.AddrFrom16(a.Addr.Addr), binary.BigEndian.Uint16(port))
		}
	})
	if ctl != nil {
		return at, ctl
	}
	if err == unix.ENOENT || err == unix.ENOPROTOOPT { // the kernel tracks no such connection
		return netip.AddrPortFrom(local.Addr().Unmap(), local.Port()), nil
	}
	return at, err
}

// queued takes the connections that wait in the queue of a listener, and waits for
// no more.
func queued(l *net.TCPListener, take func(*net.TCPConn)) {
	raw, err := l.SyscallConn()
	if err != nil {
		return
	}
	for err == nil {
		fd := -1
		_ = raw.Control(func(listener uintptr) {
			fd, _, err = unix.Accept4(int(listener), unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
		})
		if fd < 0 {
			return
		}
		f := os.NewFile(uintptr(fd), "connection")
		c, cerr := net.FileConn(f)
		f.Close()
		if cerr == nil {
			take(c.(*net.TCPConn))
		}
	}
}

// word is an address without what a zone would add.
func word(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	at := t.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
}
