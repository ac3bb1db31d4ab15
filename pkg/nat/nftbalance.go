package nat

import (
	"encoding/binary"
	"fmt"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// nftChain is the name of the endpoint's chain. A name of nf_tables may be long,
// but not as long as two of cnet's.
func (e Endpoint) nftChain() string { return e.On.long("endpoint", e.name()+"-"+e.Container) }

func (o On) long(kind, name string) string {
	const most = 100
	if len(name) > most {
		name = short(name[:most-20]+"-", name)
	}
	return o.named(kind) + "-" + name
}

func (e Endpoint) nftables() []nftObject {
	chain := e.nftChain()
	return []nftObject{
		nftChain{name: chain},
		nftRule{chain, []nftPart{protocol(e.Proto), counted(), e.dnatTo()}, e.note() + " " + e.Container},
	}
}

func protocol(name string) nftPart {
	return nftPart{"meta l4proto " + name, []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: first}, equals(expr.CmpOpEq, []byte{protoNumbers[name]})}}
}

// dnatTo rewrites the destination to the endpoint.
func (e Endpoint) dnatTo() nftPart {
	const addr, port = unix.NFT_REG_1, unix.NFT_REG_2
	family := "ip"
	if e.IPv6 {
		family = "ip6"
	}
	return nftPart{fmt.Sprintf("dnat %s to %s", family, e.target()), []expr.Any{
		&expr.Immediate{Register: addr, Data: e.To.AsSlice()},
		&expr.Immediate{Register: port, Data: binary.BigEndian.AppendUint16(nil, e.ToPort)},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: uint32(e.nfproto()), RegAddrMin: addr, RegAddrMax: addr, RegProtoMin: port, RegProtoMax: port},
	}}
}

func (b Balance) nftables() []nftObject {
	if b.sum() == 0 {
		return nil
	}
	chain := b.long("service", b.name())
	list := b.nftChoices(chain)
	lead := func(set nftSet, key ...nftField) {
		list = append(list, nftElement{set: set, key: key, jump: chain, note: b.note()})
	}
	vip, proto, port := addrField(b.VIP), protoField(b.Proto), portField(b.Port, b.Port)
	lead(b.services(many(b.Iface)), linkField(b.Iface), vip, proto, port)
	lead(b.hostServices(), vip, proto, port)
	for _, p := range b.Publish {
		at := portField(p.Port, p.Port)
		if p.IP.IsValid() && !p.IP.IsUnspecified() {
			lead(b.ownServices(), addrField(p.IP), proto, at)
		} else {
			lead(b.anyServices(), proto, at)
		}
	}
	return list
}

// nftChoices are the chain that chooses, and what is in it.
func (b Balance) nftChoices(chain string) (list []nftObject) {
	if b.Affinity > 0 {
		pick := picks(b.long("pick", b.name()))
		list = append(list, pick, nftChain{name: chain}, nftRule{chain, []nftPart{b.hash(pick)}, b.note()})
		for slot, container := range b.hashed() {
			list = append(list, nftElement{set: pick, key: nftFields{slotField(slot)}, jump: b.endpoint(container).nftChain(), note: b.note()})
		}
		return list
	}
	list = append(list, nftChain{name: chain})
	for _, q := range b.questions() {
		var parts []nftPart
		if q.of > 0 {
			parts = append(parts, b.draw(q))
		}
		list = append(list, nftRule{chain, append(parts, jump(b.endpoint(q.container).nftChain())), b.note()})
	}
	return list
}

// drawn reports whether the keys of the set are numbers that were drawn.
func (s nftSet) drawn() bool { return len(s.key) == 1 && s.key[0] == typeSlot }

// drawnData is what nft(8) keeps with a map from such numbers to verdicts, to know
// how to print it: byte orders, and the expressions that key and data are like
// (nftables, include/udata). Each has a type and a length of one byte; the
// numbers are the machine's.
func drawnData() []byte {
	const keyOrder, dataOrder, keyLike, dataLike, dataRange = 0, 1, 3, 4, 6
	const exprKind, exprData, verdict, numgen, hostOrder = 0, 1, 1, 23, 1
	const kind, modulus, offset = 0, 1, 2
	var raw udata
	raw = raw.number(keyOrder, hostOrder).number(dataOrder, 0)
	drawn := udata(nil).number(kind, unix.NFT_NG_INCREMENTAL).number(modulus, 2).number(offset, 0)
	raw = raw.add(keyLike, udata(nil).number(exprKind, numgen).add(exprData, drawn))
	raw = raw.add(dataLike, udata(nil).number(exprKind, verdict).add(exprData, nil))
	return raw.number(dataRange, 0)
}

// udata is a list of the data that nft(8) keeps with things.
type udata []byte

func (u udata) add(kind byte, value []byte) udata {
	return append(append(u, kind, byte(len(value))), value...)
}

func (u udata) number(kind byte, n uint32) udata {
	return u.add(kind, binary.NativeEndian.AppendUint32(nil, n))
}

// picks is a map from slots to the chains of endpoints.
func picks(name string) nftSet {
	return nftSet{name: name, key: nftTypes{typeSlot}, data: nftTypes{typeVerdict}}
}

func slotField(slot int) nftField {
	raw := binary.NativeEndian.AppendUint32(nil, uint32(slot))
	return nftField{fmt.Sprint(slot), raw, raw}
}

// draw asks whether a number drawn, or counted, is one of the first.
func (b Balance) draw(q question) nftPart {
	gen := &expr.Numgen{Register: first, Modulus: uint32(q.of), Type: unix.NFT_NG_RANDOM}
	if b.Exact {
		gen.Type = unix.NFT_NG_INCREMENTAL
		return nftPart{fmt.Sprintf("numgen inc mod %d 0", q.of), []expr.Any{gen, equals(expr.CmpOpEq, make([]byte, 4))}}
	}
	return nftPart{fmt.Sprintf("numgen random mod %d < %d", q.of, q.parts), []expr.Any{gen,
		&expr.Byteorder{SourceRegister: first, DestRegister: first, Op: expr.ByteorderHton, Len: 4, Size: 4},
		equals(expr.CmpOpLt, binary.BigEndian.AppendUint32(nil, uint32(q.parts)))}}
}

// hash makes a slot of the caller's address, and goes where the map says.
func (b Balance) hash(pick nftSet) nftPart {
	size := uint32(b.addrType().size)
	return nftPart{
		fmt.Sprintf("jhash %s mod %d seed 0x%x vmap @%s", b.On.words("saddr"), hashes, hashSeed, pick.name),
		append(b.familyIs(), b.load("saddr", size, unix.NFT_REG_2),
			&expr.Hash{SourceRegister: unix.NFT_REG_2, DestRegister: first, Length: size, Modulus: hashes, Seed: hashSeed, Type: expr.HashTypeJenkins},
			lookupVerdict(pick)),
	}
}

// hashSeed is the same always, or every change would send clients elsewhere.
const hashSeed = 0x636e6574
