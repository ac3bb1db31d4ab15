package nat

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// nftField is a part of a key or of data: one value, or a range of them.
type nftField struct {
	words     string
	low, high []byte
}

// nftFields are the parts of a key.
type nftFields []nftField

func (f nftFields) String() string {
	words := make([]string, len(f))
	for i, one := range f {
		words[i] = one.words
	}
	return strings.Join(words, " . ")
}

// low are the bytes of the first key of all that are meant, high of the last.
func (f nftFields) low() []byte { return f.join(func(one nftField) []byte { return one.low }) }

func (f nftFields) high() []byte { return f.join(func(one nftField) []byte { return one.high }) }

func (f nftFields) join(of func(nftField) []byte) (raw []byte) {
	for _, one := range f {
		raw = append(raw, of(one)...)
		if len(f) > 1 {
			raw = append(raw, "\x00\x00\x00"[:-len(raw)&3]...)
		}
	}
	return raw
}

// linkField is a link by name; "br+" is all whose name begins with br.
func linkField(pattern string) nftField {
	low, high := make([]byte, unix.IFNAMSIZ), make([]byte, unix.IFNAMSIZ)
	copy(low, pattern)
	copy(high, pattern)
	if prefix, ok := strings.CutSuffix(pattern, "+"); ok {
		low[len(prefix)] = 0
		for i := len(prefix); i < len(high); i++ {
			high[i] = 0xff
		}
	}
	return nftField{linkWords(pattern), low, high}
}

// linkWords is the pattern as nft(8) writes it.
func linkWords(pattern string) string {
	if prefix, ok := strings.CutSuffix(pattern, "+"); ok {
		pattern = prefix + "*"
	}
	return fmt.Sprintf("%q", pattern)
}

// familyField is the family of a packet.
func (o On) familyField() nftField {
	n := []byte{o.nfproto()}
	return nftField{strings.ToLower(o.family()), n, n}
}

func addrField(a netip.Addr) nftField { return nftField{a.String(), a.AsSlice(), a.AsSlice()} }

func prefixField(p netip.Prefix) nftField {
	p = p.Masked()
	low := p.Addr().AsSlice()
	high := slices.Clone(low)
	for i := p.Bits(); i < len(high)*8; i++ {
		high[i/8] |= 0x80 >> (i % 8)
	}
	if p.IsSingleIP() {
		return nftField{p.Addr().String(), low, high}
	}
	return nftField{p.String(), low, high}
}

// protoNumbers are those of the protocols that have ports (protocols(5)).
var protoNumbers = map[string]byte{"tcp": unix.IPPROTO_TCP, "udp": unix.IPPROTO_UDP, "sctp": unix.IPPROTO_SCTP}

func protoField(name string) nftField {
	n := []byte{protoNumbers[name]}
	return nftField{name, n, n}
}

func portField(first, last uint16) nftField {
	return nftField{span(first, last, "-"), binary.BigEndian.AppendUint16(nil, first), binary.BigEndian.AppendUint16(nil, last)}
}

// attrs are those of the element: two, for a range of single keys, of which the
// second is the first key after it.
func (e nftElement) attrs() (list []attrs) {
	list = e.keyAttrs()
	switch {
	case e.jump != "":
		verdict := attrs(nil).number(unix.NFTA_VERDICT_CODE, jumpCode).text(unix.NFTA_VERDICT_CHAIN, e.jump)
		list[0] = list[0].nest(unix.NFTA_SET_ELEM_DATA, attrs(nil).nest(unix.NFTA_DATA_VERDICT, verdict))
	case len(e.data) > 0:
		list[0] = list[0].nest(unix.NFTA_SET_ELEM_DATA, attrs(nil).add(unix.NFTA_DATA_VALUE, e.data.low()))
	}
	list[0] = list[0].add(unix.NFTA_SET_ELEM_USERDATA, comment(e.note))
	return list
}

// jumpCode is NFT_JUMP, -3.
const jumpCode = 1<<32 - 3

func (e nftElement) keyAttrs() []attrs {
	first := attrs(nil).nest(unix.NFTA_SET_ELEM_KEY, attrs(nil).add(unix.NFTA_DATA_VALUE, e.key.low()))
	switch {
	case e.set.joined():
		return []attrs{first.nest(nftaSetElemKeyEnd, attrs(nil).add(unix.NFTA_DATA_VALUE, e.key.high()))}
	case !e.set.ranges:
		return []attrs{first}
	}
	after, ok := increment(e.key.high())
	if !ok {
		return []attrs{first}
	}
	end := attrs(nil).number(unix.NFTA_SET_ELEM_FLAGS, unix.NFT_SET_ELEM_INTERVAL_END)
	return []attrs{first, end.nest(unix.NFTA_SET_ELEM_KEY, attrs(nil).add(unix.NFTA_DATA_VALUE, after))}
}

// increment is the number after a number; there is none after the last.
func increment(n []byte) ([]byte, bool) {
	n = slices.Clone(n)
	for i := len(n) - 1; i >= 0; i-- {
		n[i]++
		if n[i] != 0 {
			return n, true
		}
	}
	return nil, false
}
