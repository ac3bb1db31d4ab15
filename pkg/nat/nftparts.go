package nat

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// first is the register that most parts of a rule work with. Joined keys go on
// in those after it, each from a new word of four bytes.
const first = unix.NFT_REG_1

// register is the one that begins so many bytes after the first.
func register(bytes int) uint32 {
	if bytes%16 == 0 {
		return uint32(unix.NFT_REG_1 + bytes/16)
	}
	return uint32(unix.NFT_REG32_00 + bytes/4)
}

// only asks for the family of the packet.
func (o On) only() nftPart {
	return nftPart{"meta nfproto " + strings.ToLower(o.family()), o.familyIs()}
}

func (o On) familyIs() []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: first}, equals(expr.CmpOpEq, []byte{o.nfproto()})}
}

func (o On) nfproto() byte {
	if o.IPv6 {
		return unix.NFPROTO_IPV6
	}
	return unix.NFPROTO_IPV4
}

func equals(op expr.CmpOp, data []byte) expr.Any {
	return &expr.Cmp{Op: op, Register: first, Data: data}
}

// end is an address of the packet: "saddr" or "daddr".
type end string

func (o On) words(e end) string {
	if o.IPv6 {
		return "ip6 " + string(e)
	}
	return "ip " + string(e)
}

// load loads an address, or the first bytes of it.
func (o On) load(e end, size, register uint32) expr.Any {
	whole, offset := uint32(4), uint32(12)
	if o.IPv6 {
		whole, offset = 16, 8
	}
	if e == "daddr" {
		offset += whole
	}
	return &expr.Payload{Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: size, DestRegister: register}
}

// loopback asks whether an address is one of the loopback.
func (o On) loopback(e end, op expr.CmpOp) nftPart {
	text, data := "127.0.0.0/8", []byte{127}
	if o.IPv6 {
		text, data = "::1", netip.IPv6Loopback().AsSlice()
	}
	if op == expr.CmpOpNeq {
		text = "!= " + text
	}
	return nftPart{o.words(e) + " " + text, append(o.familyIs(), o.load(e, uint32(len(data)), first), equals(op, data))}
}

// linkWord is what nft(8) calls a link of the packet.
func linkWord(key expr.MetaKey) string {
	if key == expr.MetaKeyIIFNAME {
		return "iifname"
	}
	return "oifname"
}

// link asks for a link by name; "br+" is all whose name begins with br.
func link(key expr.MetaKey, op expr.CmpOp, pattern string) nftPart {
	data := linkField(pattern).low
	if prefix, ok := strings.CutSuffix(pattern, "+"); ok {
		data = data[:len(prefix)]
	}
	words := linkWord(key) + " "
	if op == expr.CmpOpNeq {
		words += "!= "
	}
	return nftPart{words + linkWords(pattern), []expr.Any{&expr.Meta{Key: key, Register: first}, equals(op, data)}}
}

// linkMap goes where a map says for the family and a link of the packet.
func linkMap(key expr.MetaKey, m nftSet) nftPart {
	return nftPart{fmt.Sprintf("meta nfproto . %s vmap @%s", linkWord(key), m.name), append(loadLink(key), lookupVerdict(m))}
}

// linkIn asks whether the family and a link of the packet are in a set.
func linkIn(key expr.MetaKey, s nftSet) nftPart {
	return nftPart{fmt.Sprintf("meta nfproto . %s @%s", linkWord(key), s.name),
		append(loadLink(key), &expr.Lookup{SourceRegister: first, SetName: s.name})}
}

// stays asks whether the packet stays inside a network.
func stays(many bool) nftPart {
	s := insideLinks(many)
	exprs := append(loadLink(expr.MetaKeyIIFNAME), &expr.Meta{Key: expr.MetaKeyOIFNAME, Register: register(4 + unix.IFNAMSIZ)},
		&expr.Lookup{SourceRegister: first, SetName: s.name})
	return nftPart{"meta nfproto . iifname . oifname @" + s.name, exprs}
}

func loadLink(key expr.MetaKey) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: first}, &expr.Meta{Key: key, Register: register(4)}}
}

func lookupVerdict(m nftSet) expr.Any {
	return &expr.Lookup{SourceRegister: first, DestRegister: unix.NFT_REG_VERDICT, IsDestRegSet: true, SetName: m.name}
}

// sourceMap goes where the map says for the packet's source.
func (o On) sourceMap() nftPart {
	m := o.sources()
	return nftPart{o.words("saddr") + " vmap @" + m.name, append(o.familyIs(), o.load("saddr", uint32(m.key.size()), first), lookupVerdict(m))}
}

// turns asks whether the packet goes back to where a caller is.
func (o On) turns() nftPart {
	s, size := o.hairpins(), uint32(o.addrType().size)
	src := register(unix.IFNAMSIZ)
	dst := register(unix.IFNAMSIZ + int(size))
	return nftPart{
		fmt.Sprintf("oifname . %s . %s @%s", o.words("saddr"), o.words("daddr"), s.name),
		append(o.familyIs(), &expr.Meta{Key: expr.MetaKeyOIFNAME, Register: first},
			o.load("saddr", size, src), o.load("daddr", size, dst), &expr.Lookup{SourceRegister: first, SetName: s.name}),
	}
}

// dnat rewrites the destination to what a map of ports says.
func (o On) dnat(m nftSet) nftPart {
	var words []string
	var exprs []expr.Any
	at := 0
	if m.key[0] == o.addrType() {
		words, exprs = []string{o.words("daddr")}, append(o.familyIs(), o.load("daddr", uint32(m.key[0].size), first))
		at = m.key[0].size
	}
	words = append(words, "meta l4proto", "th dport")
	exprs = append(exprs,
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: register(at)},
		&expr.Payload{Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2, DestRegister: register(at + 4)},
		&expr.Lookup{SourceRegister: first, DestRegister: first, IsDestRegSet: true, SetName: m.name})
	nat := &expr.NAT{Type: expr.NATTypeDestNAT, Family: uint32(o.nfproto()), RegAddrMin: first, RegAddrMax: first}
	if len(m.data) > 1 {
		nat.RegProtoMin = register(m.data[0].size)
		nat.RegProtoMax = nat.RegProtoMin
	}
	target, _, _ := strings.Cut(o.words("daddr"), " ")
	return nftPart{fmt.Sprintf("dnat %s to %s map @%s", target, strings.Join(words, " . "), m.name), append(exprs, nat)}
}

// trackedBits asks for any of some bits of what conntrack knows of the packet.
func trackedBits(words string, key expr.CtKey, bits uint32) nftPart {
	return nftPart{words, []expr.Any{
		&expr.Ct{Key: key, Register: first},
		&expr.Bitwise{SourceRegister: first, DestRegister: first, Len: 4,
			Mask: binary.NativeEndian.AppendUint32(nil, bits), Xor: make([]byte, 4)},
		equals(expr.CmpOpNeq, make([]byte, 4)),
	}}
}

func knownState() nftPart {
	return trackedBits("ct state established,related", expr.CtKeySTATE, expr.CtStateBitESTABLISHED|expr.CtStateBitRELATED)
}

func dnatStatus() nftPart { return trackedBits("ct status dnat", expr.CtKeySTATUS, ctStatusDNAT) }

// fibLocal asks whether the destination is the host itself.
func fibLocal() nftPart {
	return nftPart{"fib daddr type local", []expr.Any{
		&expr.Fib{Register: first, ResultADDRTYPE: true, FlagDADDR: true},
		equals(expr.CmpOpEq, binary.NativeEndian.AppendUint32(nil, unix.RTN_LOCAL)),
	}}
}

func counted() nftPart { return nftPart{"counter", []expr.Any{&expr.Counter{}}} }

func masquerade() nftPart { return nftPart{"masquerade", []expr.Any{&expr.Masq{}}} }

func drop() nftPart { return nftPart{"drop", []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}}} }

func leave() nftPart { return nftPart{"return", []expr.Any{&expr.Verdict{Kind: expr.VerdictReturn}}} }

func jump(chain string) nftPart {
	return nftPart{"jump " + chain, []expr.Any{&expr.Verdict{Kind: expr.VerdictJump, Chain: chain}}}
}

func goTo(chain string) nftPart {
	return nftPart{"goto " + chain, []expr.Any{&expr.Verdict{Kind: expr.VerdictGoto, Chain: chain}}}
}
