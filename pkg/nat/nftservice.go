package nat

import (
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// A service is looked up by the link of who calls, address, protocol and port;
// by the host, without the link; published, as the ports of containers are.
func (o On) services(many bool) nftSet {
	name := o.named("services")
	if many {
		name += "-any"
	}
	return nftSet{name: name, key: nftTypes{typeLink, o.addrType(), typeProto, typePort}, data: nftTypes{typeVerdict}, ranges: many}
}

func (o On) hostServices() nftSet {
	return nftSet{name: o.named("services-out"), key: nftTypes{o.addrType(), typeProto, typePort}, data: nftTypes{typeVerdict}}
}

func (o On) anyServices() nftSet {
	return nftSet{name: o.named("service-ports"), key: nftTypes{typeProto, typePort}, data: nftTypes{typeVerdict}}
}

func (o On) ownServices() nftSet {
	return nftSet{name: o.named("service-bound"), key: nftTypes{o.addrType(), typeProto, typePort}, data: nftTypes{typeVerdict}}
}

func (o On) refused() nftSet { return nftSet{name: o.named("refused"), key: nftTypes{o.addrType()}} }

// serviceObjects are the chains and maps of the role, for both families.
func serviceObjects(v4, v6 On) (list []nftObject) {
	for _, o := range []On{v4, v6} {
		chain := o.named("service-publish")
		list = append(list, o.services(false), o.services(true), o.hostServices(), o.ownServices(), o.anyServices(), o.refused(), o.sparedOfServices(),
			nftChain{name: chain},
			nftRule{chain, []nftPart{o.frontMap(o.sparedOfServices()), leave()}, ""},
			nftRule{chain, []nftPart{o.frontMap(o.ownServices())}, ""},
			nftRule{chain, []nftPart{o.frontMap(o.anyServices())}, ""})
	}
	list = append(list,
		nftChain{"service-in", "nat", unix.NF_INET_PRE_ROUTING, nftPublish, "hook prerouting priority dstnat - 10"},
		nftChain{"service-out", "nat", unix.NF_INET_LOCAL_OUT, nftPublish, "hook output priority -110"},
		nftChain{"refuse-forward", "filter", unix.NF_INET_FORWARD, nftRefuse, "hook forward priority filter - 20"},
		nftChain{"refuse-out", "filter", unix.NF_INET_LOCAL_OUT, nftRefuse, "hook output priority filter - 20"})
	for _, o := range []On{v4, v6} {
		publish := jump(o.named("service-publish"))
		list = append(list,
			nftRule{"service-in", []nftPart{o.frontMap(o.services(false))}, ""},
			nftRule{"service-in", []nftPart{o.frontMap(o.services(true))}, ""},
			nftRule{"service-in", []nftPart{o.loopback("daddr", expr.CmpOpNeq), fibLocal(), publish}, ""},
			nftRule{"service-out", []nftPart{o.frontMap(o.hostServices())}, ""})
		if o.IPv6 {
			list = append(list, nftRule{"service-out", []nftPart{o.loopback("daddr", expr.CmpOpNeq), fibLocal(), publish}, ""})
		} else {
			list = append(list, nftRule{"service-out", []nftPart{o.only(), fibLocal(), publish}, ""})
		}
		for _, chain := range []string{"refuse-forward", "refuse-out"} {
			list = append(list,
				nftRule{chain, []nftPart{o.destinationIn(o.refused()), protocol("tcp"), counted(), reset()}, ""},
				nftRule{chain, []nftPart{o.destinationIn(o.refused()), counted(), o.reject()}, ""})
		}
	}
	return list
}

// nftRefuse is before the guards.
const nftRefuse = -20

// frontMap goes where a map says for the link, if it has one, the address and port; of a
// set it asks whether they are in it.
func (o On) frontMap(m nftSet) nftPart {
	var words string
	exprs, at := o.familyIs(), 0
	for _, t := range m.key {
		if words != "" {
			words += " . "
		}
		switch t {
		case typeLink:
			words += "iifname"
			exprs = append(exprs, &expr.Meta{Key: expr.MetaKeyIIFNAME, Register: register(at)})
		case o.addrType():
			words += o.words("daddr")
			exprs = append(exprs, o.load("daddr", uint32(t.size), register(at)))
		case typeProto:
			words += "meta l4proto"
			exprs = append(exprs, &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: register(at)})
		case typePort:
			words += "th dport"
			exprs = append(exprs, &expr.Payload{Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2, DestRegister: register(at)})
		}
		at += (t.size + 3) &^ 3
	}
	if m.key[0] == typeProto { // nothing else says which family
		words = "meta nfproto " + o.familyField().words + " " + words
	}
	if len(m.data) == 0 {
		return nftPart{words + " @" + m.name, append(exprs, &expr.Lookup{SourceRegister: first, SetName: m.name})}
	}
	return nftPart{words + " vmap @" + m.name, append(exprs, lookupVerdict(m))}
}

// destinationIn asks whether the destination is in a set.
func (o On) destinationIn(s nftSet) nftPart {
	return nftPart{o.words("daddr") + " @" + s.name,
		append(o.familyIs(), o.load("daddr", uint32(s.key.size()), first), &expr.Lookup{SourceRegister: first, SetName: s.name})}
}

// reset ends a connection that is being made.
func reset() nftPart {
	return nftPart{"reject with tcp reset", []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_TCP_RST}}}
}

// reject answers that nobody listens at the port.
func (o On) reject() nftPart {
	const icmpPortUnreachable, icmp6PortUnreachable = 3, 4
	if o.IPv6 {
		return nftPart{"reject with icmpv6 port-unreachable", []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_ICMP_UNREACH, Code: icmp6PortUnreachable}}}
	}
	return nftPart{"reject with icmp port-unreachable", []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_ICMP_UNREACH, Code: icmpPortUnreachable}}}
}
