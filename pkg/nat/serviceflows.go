package nat

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/cnetlab/cnet/pkg/fact"
)

func (e Endpoint) movesFlows(verb fact.Verb) bool {
	return e.Proto == "udp" && !(e.Inherited && verb == fact.Break)
}

// leads reports whether a flow goes to the endpoint by way of the service.
func (e Endpoint) leads(f flow) bool {
	return f.orig.dst == e.VIP && f.orig.dstPort == e.Port && f.reply.src == e.To ||
		slices.ContainsFunc(e.ports(), func(p Publish) bool { return p.leads(f) })
}

// misses is for the [Balance] to say: an endpoint may be one of many.
func (e Endpoint) misses(flow, []netip.Prefix) bool { return false }

// moveCommands are the same by hand.
func (e Endpoint) moveCommands() []fact.Command {
	line := fmt.Sprintf("%s -d %s --orig-port-dst %d --dst-nat %s", e.forgetting(), e.VIP, e.Port, e.To)
	list := []fact.Command{{Argv: strings.Fields(line), MayFail: true}}
	for _, p := range e.ports() {
		list = append(list, p.moveCommands(fact.Break)...)
	}
	return list
}

// ports are those of the host, as if they led to the endpoint alone.
func (e Endpoint) ports() []Publish {
	list := make([]Publish, len(e.Published))
	for i, p := range e.Published {
		list[i] = p.publish(e.On)
		list[i].To, list[i].Port = e.To, e.ToPort
	}
	return list
}

func (p HostPort) publish(on On) Publish {
	return Publish{On: on, HostIP: p.IP, HostPort: p.Port, Proto: "udp"}
}

func (b Balance) movesFlows(verb fact.Verb) bool { return b.Proto == "udp" && verb != fact.Break }

// leads is for the [Endpoint] to say, which knows where to.
func (b Balance) leads(flow) bool { return false }

// misses reports whether a flow to the service goes nowhere else: its destination
// was not rewritten.
func (b Balance) misses(f flow, local []netip.Prefix) bool {
	return f.reply.src == f.orig.dst && (f.orig.dst == b.VIP && f.orig.dstPort == b.Port ||
		among(local, f.orig.dst) && slices.ContainsFunc(b.Publish, func(p HostPort) bool {
			return p.publish(b.On).at(f.orig.dst, f.orig.dstPort)
		}))
}

// moveCommands are the same by hand, but that of 127.0.0.0/8 they know the first
// address only: conntrack(8) takes no prefix for where a reply comes from.
func (b Balance) moveCommands() []fact.Command {
	line := fmt.Sprintf("%s -d %s -r %s --orig-port-dst %d", b.forgetting(), b.VIP, b.VIP, b.Port)
	list := []fact.Command{{Argv: strings.Fields(line), MayFail: true}}
	for _, h := range b.Publish {
		p, at := h.publish(b.On), " -d $ip -r ${ip%/*}"
		if !p.anyHost() {
			at = fmt.Sprintf(" -d %s -r %s", p.HostIP, p.HostIP)
		}
		list = append(list, p.each(b.forgetting()+at+" --orig-port-dst $port"))
	}
	return list
}
