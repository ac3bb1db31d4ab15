package probe

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// spent reports whether a connection that was kept is of no more use: the other
// side has closed it meanwhile, or said what nobody asked for. A server may do
// so at any time (RFC 9112, section 9.5), and it is no answer to what is asked
// next. What was sent already is never asked again: that it got lost is the
// result.
func spent(conn net.Conn) bool {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	var peeked error
	err = raw.Control(func(fd uintptr) {
		_, _, peeked = unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
	})
	return err != nil || peeked != unix.EAGAIN
}
