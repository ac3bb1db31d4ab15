package route

import (
	"context"

	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// send sends the route as a message of a kind, see rtnetlink(7).
func (r Route) send(ctx context.Context, kind, flags int) error {
	index, err := r.index(ctx)
	if err != nil {
		return err
	}
	dst := r.dst()
	msg := nl.NewRtDelMsg() // of any scope and type
	if kind == unix.RTM_NEWROUTE {
		msg = nl.NewRtMsg()
		msg.Scope = uint8(r.scope())
	}
	msg.Family, msg.Dst_len = uint8(family(dst.Addr())), uint8(dst.Bits())
	var attrs []*netns.Attr
	if !r.isDefault() {
		attrs = append(attrs, nl.NewRtAttr(unix.RTA_DST, dst.Addr().AsSlice()))
	}
	if r.Via.IsValid() {
		attrs = append(attrs, nl.NewRtAttr(unix.RTA_GATEWAY, r.Via.AsSlice()))
	}
	if r.Src.IsValid() && kind == unix.RTM_NEWROUTE {
		attrs = append(attrs, nl.NewRtAttr(unix.RTA_PREFSRC, r.Src.AsSlice()))
	}
	if index != 0 {
		attrs = append(attrs, nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(uint32(index))))
	}
	if r.MTU != 0 {
		metrics := nl.NewRtAttr(unix.RTA_METRICS, nil)
		metrics.AddRtAttr(unix.RTAX_MTU, nl.Uint32Attr(uint32(r.MTU)))
		attrs = append(attrs, metrics)
	}
	_, err = netns.Send(ctx, r.Netns, kind, flags, msg, attrs...)
	return err
}

// index is the number of the link, 0 if none is named.
func (r Route) index(ctx context.Context) (int, error) {
	if r.Link == "" {
		return 0, nil
	}
	return netns.Index(ctx, r.Netns, r.Link)
}
