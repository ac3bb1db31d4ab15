package keep

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/internal/proc"
	"github.com/cnetlab/cnet/pkg/netns"
)

// Sockets are open sockets by their addresses, as files that can be handed on.
type Sockets map[netip.AddrPort][]*os.File

// Close closes all.
func (s Sockets) Close() {
	for _, files := range s {
		closeAll(files)
	}
}

// Prepare opens the sockets of a process that will be needed, so that the kernel
// queues who calls before it runs. It opens none where one runs already, and in a
// namespace that is not there yet.
func (k Kind) Prepare(ctx context.Context, at []netip.AddrPort) (ready Sockets, err error) {
	if k.Runs() {
		return nil, nil
	}
	err = netns.Do(k.Netns, func() (err error) {
		ready, err = k.sockets(ctx, at)
		return err
	})
	if netns.Gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("keep %s: %w", k.Name, err)
	}
	return ready, nil
}

// sockets opens those of addresses, or none.
func (k Kind) sockets(ctx context.Context, at []netip.AddrPort) (Sockets, error) {
	all := make(Sockets, len(at))
	for _, a := range at {
		files, err := k.open(ctx, a)
		if errors.Is(err, unix.EADDRINUSE) && proc.EndLost(ctx, func(name string) bool { return name == k.Name }) == nil { // one that nothing tells of any more
			files, err = k.open(ctx, a)
		}
		if err != nil {
			all.Close()
			return nil, err
		}
		all[a] = files
	}
	return all, nil
}

func (k Kind) open(ctx context.Context, at netip.AddrPort) (files []*os.File, err error) {
	conns, err := k.Open(ctx, at)
	for _, c := range conns {
		f, herr := handle(c)
		if err = errors.Join(err, herr); f != nil {
			files = append(files, f)
		}
		if c, ok := c.(interface{ Close() error }); ok {
			c.Close()
		}
	}
	if err != nil {
		closeAll(files)
		return nil, err
	}
	return files, nil
}

// handle is a socket as a file that only is held: what arrives at it wakes nobody
// here, as it would if the file were one that Go's poller watches.
func handle(s syscall.Conn) (f *os.File, err error) {
	raw, err := s.SyscallConn()
	if err != nil {
		return nil, err
	}
	ctl := raw.Control(func(fd uintptr) {
		var own int
		if own, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); err == nil {
			err = unix.SetNonblock(own, false) // which a child undoes
			f = os.NewFile(uintptr(own), "socket")
		}
	})
	return f, errors.Join(ctl, err)
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// Listener is the listening socket of TCP that a file is of. The file stays the caller's.
func Listener(f *os.File) (*net.TCPListener, error) {
	l, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		l.Close()
		return nil, errors.New("the socket is not one that listens for TCP")
	}
	return tcp, nil
}
