package nat

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode"

	"github.com/google/nftables/expr"
)

// In iptables a guard drops, and an allowance accepts what a later rule of
// somebody else's would drop. nf_tables has only guards: to accept in one base
// chain keeps no other from dropping.
func (f Forward) nftables() (list []nftObject) {
	many, note := many(f.Iface), "cnet "+f.Network
	family, links := f.familyField(), linkField(f.Iface)
	guard := func(set nftSet, chain string) {
		list = append(list, nftElement{set: set, key: nftFields{family, links}, jump: chain, note: note})
	}
	if f.Internal || !f.NoICC {
		list = append(list, nftElement{set: insideLinks(many), key: nftFields{family, links, links}, note: note})
	}
	switch {
	case f.Internal && f.NoICC:
		guard(fromLinks(many), chainClosed)
		guard(toLinks(many), chainStrict)
	case f.Internal:
		guard(fromLinks(many), chainClosed)
		guard(toLinks(many), chainClosed)
	case f.NoICC:
		guard(toLinks(many), chainFresh)
	default:
		guard(toLinks(many), chainEntry)
	}
	return list
}

// many reports whether a pattern is of all links whose names begin alike.
func many(iface string) bool { return strings.HasSuffix(iface, "+") }

func (m Masquerade) nftables() []nftObject {
	chain, note := m.named("masquerade")+"-"+m.Network, "cnet "+m.Network
	return []nftObject{
		nftChain{name: chain},
		nftRule{chain, []nftPart{link(expr.MetaKeyOIFNAME, expr.CmpOpNeq, m.Except), counted(), masquerade()}, note},
		nftElement{set: m.sources(), key: nftFields{prefixField(m.Subnet)}, jump: chain, note: note},
	}
}

func (h Hairpin) nftables() []nftObject {
	to, note := prefixField(h.everywhere()), "cnet "+h.Network
	if h.Container != "" {
		to, note = addrField(h.To), "cnet "+h.Container
	}
	return []nftObject{nftElement{set: h.hairpins(), key: nftFields{linkField(h.Iface), prefixField(h.Subnet), to}, note: note}}
}

// everywhere is the prefix of all addresses of the family.
func (o On) everywhere() netip.Prefix {
	if o.IPv6 {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

// The rules of IPv6, which iptables has, are not rendered: cnet makes no such fact.
func (l Loopback) nftables() []nftObject {
	if l.IPv6 {
		return nil
	}
	return []nftObject{nftElement{set: loopbackLinks(), key: nftFields{l.familyField(), linkField(l.Iface)}, note: "cnet " + l.Network}}
}

// A range whose numbers are others in the container is an element for each of
// its ports: nf_tables has no arithmetic of ports.
func (p Publish) nftables() []nftObject {
	if p.last() > p.HostPort && p.Port == p.HostPort {
		at := prefixField(p.everywhere())
		if !p.anyHost() {
			at = addrField(p.HostIP)
		}
		return []nftObject{p.element(p.portRanges(), at, protoField(p.Proto), portField(p.HostPort, p.last()))}
	}
	var list []nftObject
	for n := 0; n <= int(p.last())-int(p.HostPort); n++ {
		one := p
		one.HostPort, one.Port = p.HostPort+uint16(n), p.Port+uint16(n)
		at := portField(one.HostPort, one.HostPort)
		if p.anyHost() {
			list = append(list, one.element(p.anyPorts(), protoField(p.Proto), at))
		} else {
			list = append(list, one.element(p.ownPorts(), addrField(p.HostIP), protoField(p.Proto), at))
		}
	}
	return list
}

// element leads from key to the container's address and, where the set says so, port.
func (p Publish) element(set nftSet, key ...nftField) nftElement {
	e := nftElement{set: set, key: key, data: nftFields{addrField(p.To)}, note: "cnet " + p.Container}
	if len(set.data) > 1 {
		e.data = append(e.data, portField(p.Port, p.Port))
	}
	return e
}

// A rule in the words of iptables is of iptables only.
func (Rule) nftables() []nftObject { return nil }

// checkNames refuses what could not be said to nft(8).
func checkNames(objects []nftObject) error {
	for _, o := range objects {
		name, note := "", ""
		switch o := o.(type) {
		case nftChain:
			name = o.name
		case nftRule:
			note = o.note
		case nftElement:
			note = o.note
		}
		if name != "" && (!named(name) || len(name) > 120) || len(note) > 120 || !quotable(note) {
			return fmt.Errorf("%s: nf_tables takes no such name", o)
		}
	}
	return nil
}

// named reports whether nft(8) reads s as the name of a chain.
func named(s string) bool {
	return s[0] >= 'a' && s[0] <= 'z' && !strings.ContainsFunc(s, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		return !letter && (r < '0' || r > '9') && !strings.ContainsRune("/_.-", r)
	})
}

// quotable reports whether s can stand between the quotes of a comment.
func quotable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r == '"' || r == '\\' || unicode.Is(unicode.C, r) })
}
