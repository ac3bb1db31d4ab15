package names

import (
	"encoding/binary"
	"net/netip"

	"github.com/miekg/dns"
)

// Sizes of the fixed parts of a message, in bytes (RFC 1035, RFC 6891).
const (
	headerLen = 12
	addressV4 = 16 // a whole record, with a pointer to the name
	addressV6 = 28
	optLen    = 11
)

// quick appends to out the reply to what nearly all queries are: one for an
// address of a name that there is, which fits into one datagram. It reports
// whether the query is such a one; to all others [Zone.answer] replies. It
// allocates nothing.
func (z *Zone) quick(v *view, q, out []byte) ([]byte, bool) {
	var text [3 * 63]byte
	a, ok := parse(q, text[:0])
	if v == nil || !ok {
		return nil, false
	}
	r := v.find(a.name, a.network)
	if r == nil {
		return nil, false
	}
	first, rest := r.next(a.v6)
	size := a.end + (len(first)+len(rest))*addressV4
	if a.v6 {
		size = a.end + (len(first)+len(rest))*addressV6
	}
	if a.opt {
		size += optLen
	}
	if len(first) == 0 || size > a.limit {
		return nil, false
	}
	out = append(out, q[:a.end]...)
	out[2] = 0x84 | q[2]&1 // a reply, of authority; whether recursion was desired
	out[3] = 0x80 | q[3]&0x10
	if v.host {
		out[3] &^= 0x80
	}
	binary.BigEndian.PutUint16(out[6:], uint16(len(first)+len(rest)))
	out[8], out[9], out[10], out[11] = 0, 0, 0, 0
	out = appendAddresses(out, r.ttl, first)
	out = appendAddresses(out, r.ttl, rest)
	if a.opt {
		out[11] = 1
		out = append(out, 0, 0, 41, payload>>8, payload&0xff, 0, 0, 0, 0, 0, 0)
	}
	return out, true
}

func appendAddresses(out []byte, ttl uint32, list []netip.Addr) []byte {
	for _, ip := range list {
		kind, length := byte(dns.TypeA), byte(4)
		if ip.Is6() {
			kind, length = byte(dns.TypeAAAA), 16
		}
		out = append(out, 0xc0, headerLen, 0, kind, 0, dns.ClassINET)
		out = binary.BigEndian.AppendUint32(out, ttl)
		out = append(out, 0, length)
		if ip.Is6() {
			b := ip.As16()
			out = append(out, b[:]...)
		} else {
			b := ip.As4()
			out = append(out, b[:]...)
		}
	}
	return out
}
