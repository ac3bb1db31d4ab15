package netns

import (
	"context"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Carry waits until a cable whose end link, in the namespace at path, has come
// up carries packets; its other end is on the host. The kernel hears of a carrier
// by a queue of work, a moment after the link is up, and until then drops what is
// sent. Since Linux 6.9 to ask for a link is to wait for that (linkwatch in
// net/core/rtnetlink.c), so Carry asks for both ends, and for the bridge which
// the other end is plugged into. On older kernels the first packets may be lost.
func Carry(ctx context.Context, path, link string) error {
	_, attrs, err := LinkAttrs(ctx, path, link)
	if err != nil || path == "" {
		return err
	}
	for _, kind := range []uint16{unix.IFLA_LINK, unix.IFLA_MASTER} {
		index := number(attrs, kind)
		if index == 0 {
			return nil
		}
		if attrs, err = hostLink(ctx, index); err != nil {
			return err
		}
	}
	return nil
}

// number is the value of an attribute that is a link's number, or 0.
func number(attrs []routeAttr, kind uint16) int32 {
	for _, a := range attrs {
		if a.Attr.Type == kind && len(a.Value) == 4 {
			return int32(nl.NativeEndian().Uint32(a.Value))
		}
	}
	return 0
}

// hostLink asks for a link of the host by its number. One that is gone has no
// attributes.
func hostLink(ctx context.Context, index int32) ([]routeAttr, error) {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = index
	replies, err := Send(ctx, "", unix.RTM_GETLINK, 0, msg, withoutStats())
	if Gone(err) || err == nil && len(replies) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return nl.ParseRouteAttr(replies[0][msg.Len():])
}
