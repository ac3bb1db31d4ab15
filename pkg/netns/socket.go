package netns

import (
	"errors"
	"fmt"
	"sync"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// socket is a netlink socket for the routing family (rtnetlink(7)). It does one
// message after the other with two calls of the kernel each, and without those of
// a poller: the kernel answers before it returns from the first.
type socket struct {
	mu  sync.Mutex
	fd  int
	buf []byte
}

// The kernel sends about a kilobyte of a link, and of a list as much at once as
// there is room for, up to 32.
const (
	roomForOne  = 8 << 10
	roomForList = 32 << 10
)

// newSocket opens a socket into the namespace that the thread is in.
func newSocket() (*socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	// The kernel's own words in errors; a kernel without them is fine.
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	return &socket{fd: fd}, nil
}

func (s *socket) close() { _ = unix.Close(s.fd) }

// do sends a message and returns the answers.
func (s *socket) do(req *nl.NetlinkRequest) (replies [][]byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	room := roomForOne
	if req.Flags&unix.NLM_F_DUMP == unix.NLM_F_DUMP {
		room = roomForList
	}
	if len(s.buf) < room {
		s.buf = make([]byte, room)
	}
	kernel := &unix.SockaddrNetlink{Family: unix.AF_NETLINK}
	if err := again(func() error { return unix.Sendto(s.fd, req.Serialize(), 0, kernel) }); err != nil {
		return nil, err
	}
	intact := true
	for done := false; !done; {
		messages, err := s.receive()
		if err != nil {
			return nil, err
		}
		for _, m := range messages {
			if m.Header.Seq != req.Seq {
				continue
			}
			if m.Header.Flags&unix.NLM_F_DUMP_INTR != 0 {
				intact = false
			}
			switch m.Header.Type {
			case unix.NLMSG_ERROR, unix.NLMSG_DONE:
				if err := refusal(m); err != nil {
					return nil, err
				}
				done = true
			default:
				replies = append(replies, m.Data)
				done = done || m.Header.Flags&unix.NLM_F_MULTI == 0 && req.Flags&unix.NLM_F_ACK == 0
			}
		}
	}
	if !intact {
		return replies, nl.ErrDumpInterrupted
	}
	return replies, nil
}

// receive returns the messages that the kernel sent at once.
func (s *socket) receive() ([]syscall.NetlinkMessage, error) {
	var n int
	var from unix.Sockaddr
	err := again(func() (err error) {
		n, from, err = unix.Recvfrom(s.fd, s.buf, unix.MSG_TRUNC)
		return err
	})
	if err != nil {
		return nil, err
	}
	if n > len(s.buf) {
		return nil, fmt.Errorf("an answer of %d bytes: %w", n, unix.EMSGSIZE)
	}
	if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != nl.PidKernel {
		return nil, nil // no answer of the kernel's
	}
	return syscall.ParseNetlinkMessage(append([]byte(nil), s.buf[:n]...))
}

// again calls fn until no signal cuts it off.
func again(fn func() error) error {
	for {
		if err := fn(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// refusal is the error that ends an answer, nil where it is none, with the
// kernel's words if it has some (NLMSGERR_ATTR_MSG in netlink(7)).
func refusal(m syscall.NetlinkMessage) error {
	if len(m.Data) < 4 {
		return nil
	}
	number := int32(nl.NativeEndian().Uint32(m.Data))
	if number == 0 {
		return nil
	}
	err := error(syscall.Errno(-number))
	echo := 4 + unix.SizeofNlMsghdr // the header of what was sent, and maybe the rest of it
	if m.Header.Flags&unix.NLM_F_ACK_TLVS == 0 || len(m.Data) < echo {
		return err
	}
	if m.Header.Flags&unix.NLM_F_CAPPED == 0 {
		echo = 4 + (int(nl.NativeEndian().Uint32(m.Data[4:]))+3)&^3
	}
	if echo > len(m.Data) {
		return err
	}
	attrs, _ := nl.ParseRouteAttr(m.Data[echo:])
	for _, a := range attrs {
		if a.Attr.Type == nl.NLMSGERR_ATTR_MSG {
			err = fmt.Errorf("%w: %s", err, text(a.Value))
		}
	}
	return err
}
