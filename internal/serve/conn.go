package serve

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// conn is an accepted connection. To its process it is a file: Go's runtime
// reads and writes it, and waits in epoll(7), which is not told.
type conn struct {
	kernel
	fd             int
	file           *os.File
	client, server netip.AddrPort
}

func newConn(k kernel, fd int, client netip.AddrPort) *conn {
	server, _ := k.getsockname(fd)
	return &conn{kernel: k, fd: fd, file: os.NewFile(uintptr(fd), client.String()), client: client, server: server}
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.file.Read(b)
	if err == nil || errors.Is(err, io.EOF) {
		c.told("what the client says; 0 is its goodbye", n, nil, "read(%d, %d bytes at most)", c.fd, len(b))
	} else {
		c.told("", -1, errno(err), "read(%d, %d bytes at most)", c.fd, len(b))
	}
	return n, err
}

func (c *conn) Write(b []byte) (int, error) {
	n, err := c.file.Write(b)
	c.told("the answer, into the socket's buffer; the kernel sends and resends it", n, errno(err), "write(%d, %d bytes)", c.fd, len(b))
	return n, err
}

func (c *conn) Close() error {
	err := c.file.Close()
	c.told("goodbye to the client", 0, errno(err), "close(%d)", c.fd)
	return err
}

// linger says goodbye and hears the client out, within limits. Closing a
// socket with something unread would reset the connection, and the client could
// lose the answer.
func (c *conn) linger(ctx context.Context) {
	const most, longest = 256 << 10, time.Second
	raw, err := c.file.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { err = unix.Shutdown(int(fd), unix.SHUT_WR) })
	c.told("this side has said all; it still listens", 0, err, "shutdown(%d, SHUT_WR)", c.fd)
	_ = c.file.SetReadDeadline(time.Now().Add(longest))
	if ctx.Err() == nil {
		_, _ = io.CopyN(io.Discard, c, most)
	}
}

// broken tells errors of the connection from errors of what was said.
func broken(err error) bool {
	var path *fs.PathError
	return errors.Is(err, io.EOF) || errors.As(err, &path)
}

// errno digs the kernel's word out of err. A deadline is the kernel's EAGAIN.
func errno(err error) error {
	var e syscall.Errno
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return e
	}
	return unix.EAGAIN
}
