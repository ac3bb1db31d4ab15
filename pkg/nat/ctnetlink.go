package nat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// flow is an entry of the kernel's table of connections (conntrack(8)). What
// was translated has replies that are not the mirror image of the original.
type flow struct {
	orig, reply tuple
	raw         []byte // its attributes, as the kernel sent them
}

// tuple is one direction of a flow.
type tuple struct {
	src, dst         netip.Addr
	srcPort, dstPort uint16 // of TCP, UDP and SCTP
}

// kind says which flows to look at. The zero value is all of them; a protocol
// needs its family.
type kind struct{ family, proto uint8 }

// forget deletes the flows that match from the table. It looks again until
// nothing matches, because packets that were on their way begin flows anew;
// what goes on sending by itself is left after some rounds. A kernel without
// the table is fine.
func forget(of kind, match func(flow) bool) error {
	if empty() {
		return nil
	}
	const rounds = 5
	for i := 0; i < rounds; i++ {
		found, err := tracked(of, match)
		interrupted := errors.Is(err, netlink.ErrDumpInterrupted)
		switch {
		case errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EINVAL):
			return nil
		case err != nil && !interrupted:
			return fmt.Errorf("list connections: %w", err)
		case len(found) == 0 && !interrupted:
			return nil
		}
		for _, f := range found {
			if err := f.delete(); err != nil && !errors.Is(err, unix.ENOENT) {
				return fmt.Errorf("forget the connection from %s to %s: %w", f.orig.src, f.orig.dst, err)
			}
		}
	}
	return nil
}

// empty reports whether there is not one flow, without a walk through the table:
// that takes some milliseconds however few there are.
func empty() bool {
	n, err := os.ReadFile("/proc/sys/net/netfilter/nf_conntrack_count")
	return err == nil && string(n) == "0\n"
}

// tracked lists the flows that match. A kernel since 5.8 sends only those of
// the protocol, which takes a fifth of the time where there are many others.
func tracked(of kind, match func(flow) bool) (found []flow, err error) {
	req := request(of.family, nl.IPCTNL_MSG_CT_GET, unix.NLM_F_DUMP)
	if of.proto != 0 {
		for _, a := range ofProtocol(of.proto) {
			req.AddData(a)
		}
	}
	err = req.ExecuteIter(unix.NETLINK_NETFILTER, 0, func(msg []byte) bool {
		if f, ok := parseFlow(msg[nl.SizeofNfgenmsg:], of.proto); ok && match(f) {
			found = append(found, f)
		}
		return true
	})
	return found, err
}

// delete forgets a flow. All of its attributes name it, its number too, so that
// none is hit that came after it.
func (f flow) delete() error {
	family := uint8(unix.AF_INET)
	if f.orig.src.Is6() {
		family = unix.AF_INET6
	}
	req := request(family, nl.IPCTNL_MSG_CT_DELETE, unix.NLM_F_ACK)
	req.AddRawData(f.raw)
	_, err := req.Execute(unix.NETLINK_NETFILTER, 0)
	return err
}

func request(family uint8, operation, flags int) *nl.NetlinkRequest {
	req := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_CTNETLINK<<8|operation, flags)
	req.AddData(&nl.Nfgenmsg{NfgenFamily: family, Version: nl.NFNETLINK_V0})
	return req
}

// Of linux/netfilter/nfnetlink_conntrack.h, what the library lacks.
const (
	ctaFilter          = 25
	ctaFilterOrigFlags = 1
	ctaFilterRepFlags  = 2
	filterProtoNum     = 1 << 3
)

// ofProtocol are attributes that have the kernel list one protocol only.
func ofProtocol(proto uint8) []*nl.RtAttr {
	tuple := nl.NewRtAttr(unix.NLA_F_NESTED|nl.CTA_TUPLE_ORIG, nil)
	tuple.AddRtAttr(unix.NLA_F_NESTED|nl.CTA_TUPLE_PROTO, nil).AddRtAttr(nl.CTA_PROTO_NUM, nl.Uint8Attr(proto))
	filter := nl.NewRtAttr(unix.NLA_F_NESTED|ctaFilter, nil)
	filter.AddRtAttr(ctaFilterOrigFlags, nl.Uint32Attr(filterProtoNum))
	filter.AddRtAttr(ctaFilterRepFlags, nl.Uint32Attr(0))
	return []*nl.RtAttr{tuple, filter}
}

// parseFlow reads a flow, if it is of the protocol.
func parseFlow(raw []byte, proto uint8) (flow, bool) {
	f := flow{raw: raw}
	attrs, err := nl.ParseRouteAttr(raw)
	if err != nil {
		return f, false
	}
	var number uint8
	for _, a := range attrs {
		switch a.Attr.Type & nl.NLA_TYPE_MASK {
		case nl.CTA_TUPLE_ORIG:
			f.orig, number = parseTuple(a.Value)
		case nl.CTA_TUPLE_REPLY:
			f.reply, _ = parseTuple(a.Value)
		}
	}
	return f, proto == 0 || number == proto
}

func parseTuple(raw []byte) (t tuple, proto uint8) {
	for _, a := range nested(raw, nl.CTA_TUPLE_IP) {
		ip, _ := netip.AddrFromSlice(a.Value)
		switch a.Attr.Type & nl.NLA_TYPE_MASK {
		case nl.CTA_IP_V4_SRC, nl.CTA_IP_V6_SRC:
			t.src = ip
		case nl.CTA_IP_V4_DST, nl.CTA_IP_V6_DST:
			t.dst = ip
		}
	}
	for _, a := range nested(raw, nl.CTA_TUPLE_PROTO) {
		switch kind := a.Attr.Type & nl.NLA_TYPE_MASK; {
		case kind == nl.CTA_PROTO_NUM && len(a.Value) == 1:
			proto = a.Value[0]
		case kind == nl.CTA_PROTO_SRC_PORT && len(a.Value) == 2:
			t.srcPort = binary.BigEndian.Uint16(a.Value)
		case kind == nl.CTA_PROTO_DST_PORT && len(a.Value) == 2:
			t.dstPort = binary.BigEndian.Uint16(a.Value)
		}
	}
	return t, proto
}

// nested are the attributes within the attribute of this kind.
func nested(raw []byte, kind uint16) []syscall.NetlinkRouteAttr {
	attrs, _ := nl.ParseRouteAttr(raw)
	for _, a := range attrs {
		if a.Attr.Type&nl.NLA_TYPE_MASK == kind {
			within, _ := nl.ParseRouteAttr(a.Value)
			return within
		}
	}
	return nil
}
