package names

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/cnetlab/cnet/internal/topology"
	"github.com/miekg/dns"
)

// payload is the largest datagram that the server sends or asks for, in bytes:
// one that no link fragments (RFC 9715).
const payload = 1232

// answer is the reply to a query, or nil if it is to be asked upstream. A query
// of nobody, or to be refused, is answered too.
func (z *Zone) answer(v *view, q *dns.Msg) *dns.Msg {
	reply := new(dns.Msg)
	switch opt := q.IsEdns0(); {
	case q.Opcode != dns.OpcodeQuery:
		return reply.SetRcode(q, dns.RcodeNotImplemented)
	case len(q.Question) != 1:
		return reply.SetRcode(q, dns.RcodeFormatError)
	case v == nil:
		return reply.SetRcode(q, dns.RcodeRefused)
	case opt != nil && opt.Version() != 0:
		reply.SetRcode(q, dns.RcodeBadVers)
		reply.SetEdns0(payload, false)
		return reply
	}
	question := q.Question[0]
	reply.SetReply(q)
	reply.Authoritative, reply.RecursionAvailable, reply.Compress = true, !v.host, true
	switch {
	case question.Qclass != dns.ClassINET, slices.Contains(refused, question.Qtype):
		reply.Rcode = dns.RcodeRefused
	case !z.fill(v, reply, question):
		if !v.host {
			return nil
		}
		reply.Rcode = dns.RcodeRefused // it has resolvers of its own
	}
	if reply.Rcode == dns.RcodeRefused {
		reply.Authoritative = false
	}
	if q.IsEdns0() != nil {
		reply.SetEdns0(payload, false)
	}
	return reply
}

// refused are the types of questions about transfers and mailboxes (RFC 5936,
// RFC 1035) and of what is no question at all.
var refused = []uint16{dns.TypeAXFR, dns.TypeIXFR, dns.TypeMAILA, dns.TypeMAILB, dns.TypeOPT, dns.TypeTSIG, dns.TypeTKEY}

// fill answers a question about a name of cnet's own. It reports whether it is.
func (z *Zone) fill(v *view, reply *dns.Msg, q dns.Question) bool {
	labels := dns.SplitDomainName(strings.ToLower(q.Name))
	n := len(labels)
	switch {
	case n == 0:
		return false
	case labels[n-1] == topology.Domain:
		z.inDomain(v, reply, q, labels[:n-1])
	case n == 1:
		r := v.find([]byte(labels[0]), nil)
		if r == nil && !z.networks[labels[0]] && slices.Contains(ofZones, q.Qtype) {
			return false // a top-level domain's own
		}
		put(reply, q, r)
	case n == 2 && z.networks[labels[1]]:
		put(reply, q, v.find([]byte(labels[0]), []byte(labels[1])))
	case labels[n-1] == "arpa":
		p, ok := reversed(labels)
		if !ok || !z.holds(p) {
			return false
		}
		z.backwards(v, reply, q, p)
	default:
		return false
	}
	return true
}

// ofZones are the types that a top-level domain has and a host does not.
var ofZones = []uint16{dns.TypeNS, dns.TypeSOA, dns.TypeDS, dns.TypeDNSKEY}

// inDomain answers about a name of the domain; labels are those before it.
func (z *Zone) inDomain(v *view, reply *dns.Msg, q dns.Question, labels []string) {
	var r *record
	exists := false // without being an address's
	switch len(labels) {
	case 0:
		exists = true
		if q.Qtype == dns.TypeSOA || q.Qtype == dns.TypeANY {
			reply.Answer = []dns.RR{z.soa(0)}
			return
		}
	case 1:
		r, exists = v.find([]byte(labels[0]), nil), v.sees(labels[0])
	case 2:
		r = v.find([]byte(labels[0]), []byte(labels[1]))
	}
	put(reply, q, r)
	if exists {
		reply.Rcode = dns.RcodeSuccess
	}
	if len(reply.Answer) == 0 {
		ttl := uint32(0)
		if r != nil {
			ttl = r.ttl
		}
		reply.Ns = []dns.RR{z.soa(ttl)}
	}
}

// put has a reply tell of a record, or of its absence. A question for anything
// gets one set of addresses (RFC 8482).
func put(reply *dns.Msg, q dns.Question, r *record) {
	if r == nil {
		reply.Rcode = dns.RcodeNameError
		return
	}
	six := q.Qtype == dns.TypeAAAA || q.Qtype == dns.TypeANY && len(r.v4) == 0
	if !six && q.Qtype != dns.TypeA && q.Qtype != dns.TypeANY {
		return
	}
	first, rest := r.next(six)
	for _, list := range [][]netip.Addr{first, rest} {
		for _, ip := range list {
			reply.Answer = append(reply.Answer, address(q.Name, r.ttl, ip))
		}
	}
}

func address(name string, ttl uint32, ip netip.Addr) dns.RR {
	h := dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: ttl}
	if ip.Is4() {
		return &dns.A{Hdr: h, A: ip.AsSlice()}
	}
	h.Rrtype = dns.TypeAAAA
	return &dns.AAAA{Hdr: h, AAAA: ip.AsSlice()}
}

// soa is the start of authority of the domain. Its last number is for how long
// the absence of a name may be remembered (RFC 2308).
func (z *Zone) soa(ttl uint32) *dns.SOA {
	return &dns.SOA{
		Hdr: dns.RR_Header{Name: topology.Domain + ".", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: ttl},
		Ns:  topology.Domain + ".", Mbox: "nobody.invalid.", Serial: z.serial,
		Refresh: 3600, Retry: 600, Expire: 86400, Minttl: ttl,
	}
}

// backwards answers what an address, or a whole prefix of them, is called.
func (z *Zone) backwards(v *view, reply *dns.Msg, q dns.Question, p netip.Prefix) {
	if !p.IsSingleIP() {
		return
	}
	name, ttl := v.called(p.Addr())
	switch {
	case name == "":
		reply.Rcode = dns.RcodeNameError
	case q.Qtype == dns.TypePTR || q.Qtype == dns.TypeANY:
		h := dns.RR_Header{Name: q.Name, Rrtype: dns.TypePTR, Class: dns.ClassINET, Ttl: ttl}
		reply.Answer = []dns.RR{&dns.PTR{Hdr: h, Ptr: name}}
	}
}

// holds reports whether all addresses of a prefix are of networks or services.
func (z *Zone) holds(p netip.Prefix) bool {
	return slices.ContainsFunc(z.own, func(o netip.Prefix) bool { return o.Bits() <= p.Bits() && o.Contains(p.Addr()) })
}

// reversed is the prefix that a name in in-addr.arpa or ip6.arpa stands for
// (RFC 1035, section 3.5; RFC 3596, section 2.5).
func reversed(labels []string) (netip.Prefix, bool) {
	n := len(labels) - 2
	if n < 0 {
		return netip.Prefix{}, false
	}
	digits := slices.Clone(labels[:n])
	slices.Reverse(digits)
	switch {
	case labels[n] == "in-addr" && n <= 4:
		var b [4]byte
		for i, d := range digits {
			x, err := strconv.ParseUint(d, 10, 8)
			if err != nil || len(d) > 1 && d[0] == '0' {
				return netip.Prefix{}, false
			}
			b[i] = byte(x)
		}
		return netip.PrefixFrom(netip.AddrFrom4(b), 8*n), true
	case labels[n] == "ip6" && n <= 32:
		var b [16]byte
		for i, d := range digits {
			x, err := strconv.ParseUint(d, 16, 4)
			if err != nil || len(d) > 1 {
				return netip.Prefix{}, false
			}
			b[i/2] |= byte(x) << (4 - 4*(i%2))
		}
		return netip.PrefixFrom(netip.AddrFrom16(b), 4*n), true
	}
	return netip.Prefix{}, false
}
