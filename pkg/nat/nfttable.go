package nat

import (
	"fmt"
	"strings"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/pkg/netns"
)

// Before the chains of others at the same hook: iptables has 0, -100 and 100.
const (
	nftForward     = -10
	nftPublish     = -110
	nftPostrouting = 90
	nftRaw         = -300
)

// The guards of a network: what enters it, or what is inside.
const (
	chainEntry  = "entry"  // replies, published ports, and what is inside
	chainFresh  = "fresh"  // replies and published ports
	chainClosed = "closed" // what is inside
	chainStrict = "strict" // replies and published ports of what is inside
)

// The sets of one family end with its number.
func (o On) named(name string) string {
	if o.IPv6 {
		return name + "6"
	}
	return name + "4"
}

func (o On) addrType() nftType {
	if o.IPv6 {
		return typeIPv6
	}
	return typeIPv4
}

// Links are looked up by their whole names, which costs the same however many
// there are. The names that begin with something have sets of their own.
func linkVerdicts(name string, many bool) nftSet {
	s := linkSet(name, many, typeFamily, typeLink)
	s.data = nftTypes{typeVerdict}
	return s
}

// fromLinks and toLinks say what becomes of a packet that comes by a link of a
// network, or leaves by one; insideLinks are the ways within a network.
func fromLinks(many bool) nftSet   { return linkVerdicts("from", many) }
func toLinks(many bool) nftSet     { return linkVerdicts("to", many) }
func insideLinks(many bool) nftSet { return linkSet("inside", many, typeFamily, typeLink, typeLink) }

func linkSet(name string, many bool, key ...nftType) nftSet {
	if many {
		name += "-any"
	}
	return nftSet{name: name, key: key, ranges: many}
}

func loopbackLinks() nftSet {
	return nftSet{name: "loopback", key: nftTypes{typeFamily, typeLink}, ranges: true}
}

// sources lead to the chain of a network by its addresses.
func (o On) sources() nftSet {
	return nftSet{name: o.named("masquerade"), key: nftTypes{o.addrType()}, data: nftTypes{typeVerdict}, ranges: true}
}

func (o On) hairpins() nftSet {
	return nftSet{name: o.named("hairpin"), key: nftTypes{typeLink, o.addrType(), o.addrType()}, ranges: true}
}

// anyPorts are published at every address of the host, ownPorts at one, and
// ranges keep their numbers.
func (o On) anyPorts() nftSet {
	return nftSet{name: o.named("ports"), key: nftTypes{typeProto, typePort}, data: nftTypes{o.addrType(), typePort}, counter: true}
}

func (o On) ownPorts() nftSet {
	return nftSet{name: o.named("bound"), key: nftTypes{o.addrType(), typeProto, typePort}, data: nftTypes{o.addrType(), typePort}, counter: true}
}

func (o On) portRanges() nftSet {
	return nftSet{name: o.named("ranges"), key: nftTypes{o.addrType(), typeProto, typePort}, data: nftTypes{o.addrType()}, ranges: true, counter: true}
}

// nftables are the chains and sets of the role, for both families.
func (h Hook) nftables() []nftObject {
	v4, v6 := On{Backend: h.Backend}, On{Backend: h.Backend, IPv6: true}
	switch h.Role {
	case RoleTable:
		return []nftObject{nftTable{}}
	case RoleForward:
		return []nftObject{
			fromLinks(false), fromLinks(true), toLinks(false), toLinks(true), insideLinks(false), insideLinks(true),
			nftChain{name: chainFresh},
			nftRule{chainFresh, []nftPart{knownState(), leave()}, ""},
			nftRule{chainFresh, []nftPart{dnatStatus(), leave()}, ""},
			nftRule{chainFresh, []nftPart{counted(), drop()}, ""},
			nftChain{name: chainClosed},
			nftRule{chainClosed, []nftPart{stays(false), leave()}, ""},
			nftRule{chainClosed, []nftPart{stays(true), leave()}, ""},
			nftRule{chainClosed, []nftPart{counted(), drop()}, ""},
			nftChain{name: chainStrict},
			nftRule{chainStrict, []nftPart{stays(false), goTo(chainFresh)}, ""},
			nftRule{chainStrict, []nftPart{stays(true), goTo(chainFresh)}, ""},
			nftRule{chainStrict, []nftPart{counted(), drop()}, ""},
			nftChain{name: chainEntry},
			nftRule{chainEntry, []nftPart{knownState(), leave()}, ""},
			nftRule{chainEntry, []nftPart{dnatStatus(), leave()}, ""},
			nftRule{chainEntry, []nftPart{goTo(chainClosed)}, ""},
			nftChain{"forward", "filter", unix.NF_INET_FORWARD, nftForward, "hook forward priority filter - 10"},
			nftRule{"forward", []nftPart{linkMap(expr.MetaKeyIIFNAME, fromLinks(false))}, ""},
			nftRule{"forward", []nftPart{linkMap(expr.MetaKeyIIFNAME, fromLinks(true))}, ""},
			nftRule{"forward", []nftPart{linkMap(expr.MetaKeyOIFNAME, toLinks(false))}, ""},
			nftRule{"forward", []nftPart{linkMap(expr.MetaKeyOIFNAME, toLinks(true))}, ""},
		}
	case RolePostrouting:
		return []nftObject{
			v4.sources(), v4.hairpins(), v6.sources(), v6.hairpins(),
			nftChain{"postrouting", "nat", unix.NF_INET_POST_ROUTING, nftPostrouting, "hook postrouting priority srcnat - 10"},
			nftRule{"postrouting", []nftPart{v4.sourceMap()}, ""},
			nftRule{"postrouting", []nftPart{dnatStatus(), v4.turns(), masquerade()}, ""},
			nftRule{"postrouting", []nftPart{v6.sourceMap()}, ""},
			nftRule{"postrouting", []nftPart{dnatStatus(), v6.turns(), masquerade()}, ""},
		}
	case RolePublish:
		return append(append(v4.publishing(), v6.publishing()...),
			nftChain{"prerouting", "nat", unix.NF_INET_PRE_ROUTING, nftPublish, "hook prerouting priority dstnat - 10"},
			nftRule{"prerouting", []nftPart{v4.loopback("daddr", expr.CmpOpNeq), fibLocal(), jump(v4.named("publish"))}, ""},
			nftRule{"prerouting", []nftPart{v6.loopback("daddr", expr.CmpOpNeq), fibLocal(), jump(v6.named("publish"))}, ""},
			nftChain{"output", "nat", unix.NF_INET_LOCAL_OUT, nftPublish, "hook output priority -110"},
			nftRule{"output", []nftPart{v4.only(), fibLocal(), jump(v4.named("publish"))}, ""},
			nftRule{"output", []nftPart{v6.loopback("daddr", expr.CmpOpNeq), fibLocal(), jump(v6.named("publish"))}, ""},
		)
	case RoleService:
		return serviceObjects(v4, v6)
	case RoleLoopback:
		return []nftObject{
			loopbackLinks(),
			nftChain{"loopback-in", "filter", unix.NF_INET_PRE_ROUTING, nftRaw, "hook prerouting priority raw"},
			nftRule{"loopback-in", []nftPart{v4.loopback("daddr", expr.CmpOpEq), linkIn(expr.MetaKeyIIFNAME, loopbackLinks()), counted(), drop()}, ""},
			nftRule{"loopback-in", []nftPart{v4.loopback("saddr", expr.CmpOpEq), linkIn(expr.MetaKeyIIFNAME, loopbackLinks()), counted(), drop()}, ""},
			nftChain{"loopback-out", "nat", unix.NF_INET_POST_ROUTING, nftPostrouting, "hook postrouting priority srcnat - 10"},
			nftRule{"loopback-out", []nftPart{v4.loopback("saddr", expr.CmpOpEq), linkIn(expr.MetaKeyOIFNAME, loopbackLinks()), masquerade()}, ""},
		}
	}
	return nil
}

func (h Hook) sayNft() string {
	const of = "of table inet " + nftTableName
	switch h.Role {
	case RoleTable:
		who := "The host"
		if h.Netns != "" {
			who = netns.Say(h.Netns)
		}
		return who + " has a table inet " + nftTableName + " of nf_tables."
	case RoleForward:
		return "Forwarded packets pass cnet's chain forward " + of + ", which knows its networks by their links."
	case RolePostrouting:
		return "New connections that leave pass cnet's chain postrouting " + of + ", which knows its networks by their addresses."
	case RolePublish:
		return "New connections to an address of the host are looked up in cnet's maps of published ports, " + of + "."
	case RoleService:
		return "New connections to services are looked up in cnet's maps of services, " + of + "."
	case RoleLoopback:
		return "Packets from and to 127.0.0.0/8 pass cnet's chains loopback-in and loopback-out " + of + "."
	}
	return fmt.Sprintf("The host has cnet's chains for %q.", h.Role)
}

// publishing is the chain of the published ports of one family.
func (o On) publishing() []nftObject {
	chain := o.named("publish")
	return []nftObject{
		o.ownPorts(), o.anyPorts(), o.portRanges(), o.spared(), nftChain{name: chain},
		nftRule{chain, []nftPart{o.frontMap(o.spared()), leave()}, ""},
		nftRule{chain, []nftPart{o.dnat(o.ownPorts())}, ""},
		nftRule{chain, []nftPart{o.dnat(o.anyPorts())}, ""},
		nftRule{chain, []nftPart{o.dnat(o.portRanges())}, ""},
	}
}

// knownSets are those of all roles, by name.
func knownSets() map[string]nftSet {
	sets := make(map[string]nftSet)
	for _, role := range []string{RoleForward, RolePostrouting, RolePublish, RoleLoopback, RoleService} {
		for _, o := range (Hook{Role: role}).nftables() {
			if s, ok := o.(nftSet); ok {
				sets[s.name] = s
			}
		}
	}
	return sets
}

// setNamed is the set of a name, if cnet makes one of that name.
func setNamed(known map[string]nftSet, name string) (nftSet, bool) {
	s, ok := known[name]
	if strings.HasPrefix(name, "pick4-") || strings.HasPrefix(name, "pick6-") {
		return picks(name), true
	}
	return s, ok
}
