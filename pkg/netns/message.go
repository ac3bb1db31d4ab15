package netns

import (
	"context"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Attr is one attribute of a message, see rtnetlink(7).
type Attr = nl.RtAttr

type routeAttr = syscall.NetlinkRouteAttr

// To create something that must not be there, and to put it in the place of what is.
const (
	Create  = unix.NLM_F_CREATE | unix.NLM_F_EXCL
	Replace = unix.NLM_F_CREATE | unix.NLM_F_REPLACE
)

// Send sends a message to the kernel in the namespace at path, and returns the
// answers without their headers. kind is RTM_NEWLINK or the like, flags are such
// as [Create] or 0, and msg is the fixed part of the message. The error is the
// kernel's: errors.Is(err, unix.EEXIST). Source: rtnetlink(7), netlink(7).
func Send(ctx context.Context, path string, kind, flags int, msg nl.NetlinkRequestData, attrs ...*Attr) (replies [][]byte, err error) {
	err = withConn(ctx, path, func(c *conn) error {
		var err error
		replies, err = c.send(kind, flags, msg, attrs...)
		return err
	})
	return replies, err
}

func (c *conn) send(kind, flags int, msg nl.NetlinkRequestData, attrs ...*Attr) ([][]byte, error) {
	if asks := kind&3 == unix.RTM_GETLINK&3; !asks {
		flags |= unix.NLM_F_ACK
	}
	req := nl.NewNetlinkRequest(kind, flags)
	req.AddData(msg)
	for _, a := range attrs {
		req.AddData(a)
	}
	return c.socket.do(req)
}
