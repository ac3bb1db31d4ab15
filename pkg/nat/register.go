package nat

import (
	"bytes"
	"encoding/binary"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// registers run the expressions of one rule of nf_tables over a packet of which
// not all is known, as the kernel runs them (nft(8), "Expressions").
type registers struct {
	packet  Packet
	family  string
	sets    *setReader
	values  map[uint32]value32
	answer  answer
	verdict verdict
}

// value32 is what a register holds. Without bytes it is not known; narrow says
// that it tells packets of one kind apart: a port, a protocol.
type value32 struct {
	bytes  []byte
	narrow bool
}

func (r *registers) step(e expr.Any) {
	switch e := e.(type) {
	case *expr.Meta:
		r.set(e.Register, r.meta(e.Key))
	case *expr.Ct:
		r.set(e.Register, r.conntrack(e.Key))
	case *expr.Payload:
		r.set(e.DestRegister, r.payload(e))
	case *expr.Bitwise:
		r.set(e.DestRegister, masked(r.take(e.SourceRegister), e))
	case *expr.Cmp:
		r.compare(e)
	case *expr.Range:
		r.and(r.take(e.Register).vague())
	case *expr.Lookup:
		r.lookup(e)
	case *expr.Verdict:
		r.verdict = verdictOf(*e)
	case *expr.Reject:
		r.verdict = verdict{word: "drop"}
	case *expr.Match:
		if e.Name != "comment" {
			r.and(some)
		}
	case *expr.Limit, *expr.Quota, *expr.Connlimit:
		r.and(some)
	case *expr.Exthdr, *expr.Hash:
		r.values = nil
	}
}

func (r *registers) and(a answer) { r.answer = min(r.answer, a) }

// slot is a register by its number among those of four bytes.
func slot(n uint32) uint32 {
	if n >= unix.NFT_REG_1 && n <= unix.NFT_REG_4 {
		return unix.NFT_REG32_00 + 4*(n-unix.NFT_REG_1)
	}
	return n
}

func (r *registers) set(n uint32, v value32) {
	if r.values == nil {
		r.values = make(map[uint32]value32)
	}
	r.values[slot(n)] = v
}

// take empties a register: what loads it again may be an expression that the
// library does not know and leaves out.
func (r *registers) take(n uint32) value32 {
	v := r.values[slot(n)]
	delete(r.values, slot(n))
	return v
}

func (v value32) vague() answer {
	if v.narrow {
		return some
	}
	return unknown
}

func (r *registers) meta(key expr.MetaKey) value32 {
	bridged := r.family == "bridge"
	switch {
	case key == expr.MetaKeyIIFNAME && !bridged, key == expr.MetaKeyBRIIIFNAME && bridged:
		return linkName(r.packet.In)
	case key == expr.MetaKeyOIFNAME && !bridged, key == expr.MetaKeyBRIOIFNAME && bridged:
		return linkName(r.packet.Out)
	case key == expr.MetaKeyNFPROTO && r.packet.IPv6:
		return value32{bytes: []byte{unix.NFPROTO_IPV6}}
	case key == expr.MetaKeyNFPROTO:
		return value32{bytes: []byte{unix.NFPROTO_IPV4}}
	case key == expr.MetaKeyL4PROTO:
		return value32{narrow: true}
	}
	return value32{}
}

func linkName(name string) value32 {
	if name == "" {
		return value32{}
	}
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, name)
	return value32{bytes: b}
}

// Of a connection's first packet (linux/netfilter/nf_conntrack_common.h).
const (
	ctStateNew   = 1 << 3
	ctStatusDNAT = 1 << 5
)

func (r *registers) conntrack(key expr.CtKey) value32 {
	n := uint32(0)
	switch {
	case key == expr.CtKeySTATE:
		n = ctStateNew
	case key == expr.CtKeySTATUS && r.packet.Translated:
		n = ctStatusDNAT
	case key != expr.CtKeySTATUS:
		return value32{}
	}
	return value32{bytes: binary.NativeEndian.AppendUint32(nil, n)}
}

// payload knows the addresses of the IP header.
func (r *registers) payload(e *expr.Payload) value32 {
	if e.Base != expr.PayloadBaseNetworkHeader {
		return value32{narrow: true}
	}
	src, size := uint32(12), uint32(4)
	if r.packet.IPv6 {
		src, size = 8, 16
	}
	for i, a := range []([]byte){r.packet.Src.AsSlice(), r.packet.Dst.AsSlice()} {
		if e.Offset == src+uint32(i)*size && e.Len <= uint32(len(a)) {
			return value32{bytes: a[:e.Len]}
		}
	}
	return value32{}
}

func masked(v value32, e *expr.Bitwise) value32 {
	if len(v.bytes) < len(e.Mask) || len(e.Mask) != len(e.Xor) {
		return value32{narrow: v.narrow}
	}
	out := make([]byte, len(e.Mask))
	for i := range out {
		out[i] = v.bytes[i]&e.Mask[i] ^ e.Xor[i]
	}
	return value32{bytes: out}
}

func (r *registers) compare(e *expr.Cmp) {
	v := r.take(e.Register)
	if len(v.bytes) < len(e.Data) {
		r.and(v.vague())
		return
	}
	order := bytes.Compare(v.bytes[:len(e.Data)], e.Data)
	holds := map[expr.CmpOp]bool{
		expr.CmpOpEq: order == 0, expr.CmpOpNeq: order != 0, expr.CmpOpLt: order < 0,
		expr.CmpOpLte: order <= 0, expr.CmpOpGt: order > 0, expr.CmpOpGte: order >= 0,
	}[e.Op]
	if !holds {
		r.and(no)
	}
}

// lookup looks a value up in a set or a map of verdicts.
func (r *registers) lookup(e *expr.Lookup) {
	v := r.take(e.SourceRegister)
	list, ok := r.sets.elements(e.SetName)
	if v.bytes == nil || !ok {
		r.and(v.vague())
		return
	}
	found := find32(list, v.bytes)
	switch {
	case (found == nil) != e.Invert:
		r.and(no)
	case found != nil && found.VerdictData != nil:
		r.verdict = verdictOf(*found.VerdictData)
	}
}

func find32(list []nftables.SetElement, key []byte) *nftables.SetElement {
	for i, e := range list {
		if len(e.Key) <= len(key) && bytes.Equal(e.Key, key[:len(e.Key)]) {
			return &list[i]
		}
	}
	return nil
}

func verdictOf(v expr.Verdict) verdict {
	word := map[expr.VerdictKind]string{
		expr.VerdictAccept: "accept", expr.VerdictDrop: "drop", expr.VerdictReturn: "return",
		expr.VerdictJump: "jump", expr.VerdictGoto: "goto",
	}[v.Kind]
	return verdict{word, v.Chain}
}
