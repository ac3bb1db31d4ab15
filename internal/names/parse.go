package names

import (
	"encoding/binary"

	"github.com/cnetlab/cnet/internal/topology"
	"github.com/miekg/dns"
)

// asked is what a plain query is for.
type asked struct {
	name, network []byte // in lower case; the network may be empty
	v6            bool
	opt           bool // it has EDNS
	limit         int  // how long a reply it takes, in bytes
	end           int  // where its question ends
}

// parse reads a plain query for the address of a name of cnet's form, as nearly
// all of them are; what is anything else it leaves. The labels are put into text.
func parse(q, text []byte) (a asked, ok bool) {
	if len(q) < headerLen+6 || q[2]&0xfe != 0 || // a query, whole, which may desire recursion
		binary.BigEndian.Uint32(q[4:]) != 1<<16 || binary.BigEndian.Uint16(q[8:]) != 0 {
		return a, false
	}
	if a.name, a.network, a.end, ok = labels(q, text); !ok || len(q) < a.end+4 {
		return a, false
	}
	kind, class := binary.BigEndian.Uint16(q[a.end:]), binary.BigEndian.Uint16(q[a.end+2:])
	a.v6 = kind == dns.TypeAAAA
	a.end += 4
	return a, (a.v6 || kind == dns.TypeA) && class == dns.ClassINET && a.edns(q)
}

// labels reads the one to three labels of a name, and where it ends.
func labels(q, text []byte) (name, network []byte, end int, ok bool) {
	var labels [3][]byte
	n, at := 0, headerLen
	for ; at < len(q) && q[at] != 0; n++ {
		length := int(q[at])
		if n == len(labels) || length > 63 || at+1+length >= len(q) {
			return nil, nil, 0, false
		}
		begin := len(text)
		for _, c := range q[at+1 : at+1+length] {
			if 'A' <= c && c <= 'Z' {
				c |= 0x20
			}
			if c == '.' || c == '\\' {
				return nil, nil, 0, false
			}
			text = append(text, c)
		}
		labels[n] = text[begin:]
		at += 1 + length
	}
	last := max(n-1, 0)
	switch domain := string(labels[last]) == topology.Domain; {
	case domain && n == 1, !domain && n == len(labels):
		return nil, nil, 0, false
	case domain:
		labels[last] = nil
	}
	return labels[0], labels[1], at + 1, n > 0 && at < len(q)
}

// edns reads what may follow the question: nothing, or an OPT record.
func (a *asked) edns(q []byte) bool {
	a.limit = dns.MinMsgSize
	opt := q[a.end:]
	switch binary.BigEndian.Uint16(q[10:]) {
	case 0:
		return len(opt) == 0
	case 1:
		// The root's name, the type, the size; and version 0 without an extended code.
		plain := len(opt) >= optLen && opt[0] == 0 && binary.BigEndian.Uint16(opt[1:]) == dns.TypeOPT && opt[5] == 0 && opt[6] == 0 &&
			len(opt) == optLen+int(binary.BigEndian.Uint16(opt[9:]))
		if !plain {
			return false
		}
		a.opt, a.limit = true, limit(binary.BigEndian.Uint16(opt[3:]))
		return true
	}
	return false
}

// limit is how long a datagram may be for one who takes so many bytes.
func limit(size uint16) int { return max(dns.MinMsgSize, min(int(size), payload)) }
