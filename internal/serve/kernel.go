package serve

import (
	"fmt"
	"io"
	"net/netip"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// kernel makes the system calls by hand, and tells each one.
type kernel struct {
	explain io.Writer
	output  *sync.Mutex
}

func (s *Server) kernel() kernel { return kernel{s.Explain, &s.output} }

// told writes one call as strace(1) would, and why it is made, or what the
// kernel says against it.
func (k kernel) told(why string, result int, err error, call string, args ...any) {
	if k.explain == nil {
		return
	}
	end := fmt.Sprint(result)
	if errno, ok := err.(syscall.Errno); ok {
		end, why = "-1 "+unix.ErrnoName(errno), errno.Error()
	}
	k.output.Lock()
	defer k.output.Unlock()
	fmt.Fprintf(k.explain, "%-64s  %s\n", fmt.Sprintf(call, args...)+" = "+end, why)
}

// socket asks for an endpoint. SOCK_CLOEXEC: a program that this one starts
// must not inherit the port.
func (k kernel) socket(family, kind int) (int, error) {
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)
	k.told("an endpoint, not yet an address", fd, err,
		"socket(%s, %s|SOCK_CLOEXEC, 0)", familyName(family), kindName(kind))
	return fd, err
}

// option is a switch of a socket.
type option struct {
	level, name int
	words, why  string
}

var (
	reuseAddr = option{unix.SOL_SOCKET, unix.SO_REUSEADDR, "SOL_SOCKET, SO_REUSEADDR", "a restart need not wait until old connections are forgotten"}
	reusePort = option{unix.SOL_SOCKET, unix.SO_REUSEPORT, "SOL_SOCKET, SO_REUSEPORT", "others who say so too may listen here; the kernel shares clients out by a hash"}
	v6only    = option{unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, "IPPROTO_IPV6, IPV6_V6ONLY", "0: clients of IPv4 come in too, as ::ffff:a.b.c.d; 1: only IPv6"}
	pktinfo4  = option{unix.IPPROTO_IP, unix.IP_PKTINFO, "IPPROTO_IP, IP_PKTINFO", "say with each datagram which address it was sent to"}
	pktinfo6  = option{unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, "IPPROTO_IPV6, IPV6_RECVPKTINFO", pktinfo4.why}
)

func (k kernel) setsockopt(fd int, o option, on bool) error {
	value := 0
	if on {
		value = 1
	}
	err := unix.SetsockoptInt(fd, o.level, o.name, value)
	k.told(o.why, 0, err, "setsockopt(%d, %s, %d)", fd, o.words, value)
	return err
}

// bind gives the endpoint its address. Ports below 1024 ask for a privilege.
func (k kernel) bind(fd int, at endpoint) error {
	err := unix.Bind(fd, at.sockaddr())
	k.told("the endpoint owns this address and port, in this network namespace", 0, err, "bind(%d, %s)", fd, at)
	return err
}

// listen opens for business: the kernel shakes hands from here on.
func (k kernel) listen(fd, backlog int) error {
	err := unix.Listen(fd, backlog)
	k.told("the kernel shakes hands with clients from now on, and queues them", 0, err, "listen(%d, %d)", fd, backlog)
	return err
}

// accept takes a finished connection out of the queue, or waits for one. The
// connection is a second socket; the first goes on listening.
func (k kernel) accept(listener int) (fd int, client netip.AddrPort, err error) {
	fd, from, err := unix.Accept4(listener, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
	if err == nil {
		client = addrPort(from)
	}
	k.told("a client out of the queue, on a socket of its own", fd, err,
		"accept4(%d, %s, SOCK_CLOEXEC|SOCK_NONBLOCK)", listener, shown(client))
	return fd, client, err
}

// getsockname is the address on this side: of a connection, the one that the
// client's packets carry when they arrive, after any DNAT.
func (k kernel) getsockname(fd int) (netip.AddrPort, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		k.told("this side's address", 0, err, "getsockname(%d)", fd)
		return netip.AddrPort{}, err
	}
	local := addrPort(sa)
	k.told("this side's address", 0, nil, "getsockname(%d, %s)", fd, local)
	return local, nil
}

// shutdown ends waiting on a socket. A UDP socket says ENOTCONN, and wakes all
// the same.
func (k kernel) shutdown(fd int) {
	err := unix.Shutdown(fd, unix.SHUT_RD)
	k.told("no more clients: who waits on this socket wakes up", 0, err, "shutdown(%d, SHUT_RD)", fd)
}

func (k kernel) close(fd int) error {
	err := unix.Close(fd)
	k.told("the kernel forgets the socket; its address is free again", 0, err, "close(%d)", fd)
	return err
}

func shown(a netip.AddrPort) string {
	if !a.IsValid() {
		return "NULL"
	}
	return a.String()
}

func familyName(family int) string {
	if family == unix.AF_INET {
		return "AF_INET"
	}
	return "AF_INET6"
}

func kindName(kind int) string {
	if kind == unix.SOCK_STREAM {
		return "SOCK_STREAM"
	}
	return "SOCK_DGRAM"
}
