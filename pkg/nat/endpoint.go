package nat

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"net/netip"

	"github.com/cnetlab/cnet/pkg/fact"
)

// Front is the side of a service that its clients see: an address that no link
// carries, and a port of it.
type Front struct {
	Service string     `json:"service"`
	VIP     netip.Addr `json:"vip"`
	Proto   string     `json:"proto"` // "tcp" or "udp"
	Port    uint16     `json:"port"`
}

// String is the front in words: "service web (10.76.0.1, tcp port 80)".
func (f Front) String() string {
	return fmt.Sprintf("service %s (%s, %s port %d)", f.Service, f.VIP, f.Proto, f.Port)
}

// name is the front as part of the name of a key or a chain: "web-tcp-80".
func (f Front) name() string { return fmt.Sprintf("%s-%s-%d", f.Service, f.Proto, f.Port) }

func (f Front) note() string { return "cnet service " + f.Service }

// Endpoint is the fact that the connections to a service that a container is
// given go to that container. By hand:
//
//	iptables -t nat -N CNET-END-RX4C2AMZ
//	iptables -t nat -A CNET-END-RX4C2AMZ -p tcp -j DNAT --to-destination 10.77.0.2:8080
//
// It has a chain of its own, so that its rule counts what the container was given
// however the shares change ([Balance] says who is given what). With nf_tables:
//
//	nft add chain inet cnet endpoint4-web-tcp-80-c1
//	nft add rule inet cnet endpoint4-web-tcp-80-c1 meta l4proto tcp counter dnat ip to 10.77.0.2:8080
//
// With iptables a client that is to keep its endpoint is written down as it
// enters (recent in iptables-extensions(8)). Flows of UDP to an endpoint that goes
// are forgotten (conntrack(8)): the kernel would send them there for ever. Those
// to one that is given nothing more stay, as connections of TCP do. Needs the
// [Hook] "service".
type Endpoint struct {
	On
	Front
	Container string     `json:"container"`
	To        netip.Addr `json:"to"`     // the container's address
	ToPort    uint16     `json:"toport"` // and its port
	// Affinity is for how many seconds a client keeps the endpoint; 0: not at all.
	Affinity int `json:"affinity,omitempty"`
	// Published are the ports of the host by which flows of UDP come to it.
	Published []HostPort `json:"published,omitempty"`
	// Inherited: another backend leads there too. Broken, it leaves the flows alone.
	Inherited bool `json:"inherited,omitempty"`
}

// Key is the front and the container.
func (e Endpoint) Key() fact.Key { return e.key("nat.endpoint", e.name()+" "+e.Container) }

// Needs is the hook that its rules need.
func (e Endpoint) Needs() []fact.Key { return e.hooks(RoleService) }

// Say names both sides.
func (e Endpoint) Say() string {
	return fmt.Sprintf("Connections to %s that container %s is given go to %s.", e.Front, e.Container, e.target())
}

// Why is what breaks without it.
func (e Endpoint) Why() string {
	return "The container would be given no connections: no link carries the service's address."
}

// Probe looks for the rule.
func (e Endpoint) Probe(ctx context.Context) (fact.Truth, error) { return probe(ctx, e) }

// Make adds the chain and its rule.
func (e Endpoint) Make(ctx context.Context) error { return e.MakeAll(ctx, []fact.Fact{e}) }

// Break deletes the chain.
func (e Endpoint) Break(ctx context.Context) error { return e.BreakAll(ctx, []fact.Fact{e}) }

// Mend leaves one of the rule, where it stands more than once.
func (e Endpoint) Mend(ctx context.Context) error { return mend(ctx, e) }

// Commands are the same by hand.
func (e Endpoint) Commands(v fact.Verb) []fact.Command {
	list := commands(v, e)
	if v == fact.Break && len(list) > 0 && e.movesFlows(v) {
		list = append(list, e.moveCommands()...)
	}
	return list
}

func (e Endpoint) target() string { return netip.AddrPortFrom(e.To, e.ToPort).String() }

// chain is the chain of the endpoint, which has to do with a length of 28.
func (e Endpoint) chain() string { return short("CNET-END-", e.name()+" "+e.Container) }

func (e Endpoint) iptables() []Rule {
	chain, words := e.chain(), "-p "+e.Proto
	if e.Affinity > 0 {
		words += " " + e.recent("--set", chain)
	}
	return []Rule{
		e.On.chain("nat", chain),
		e.rule("nat", chain, words, e.note()+" "+e.Container, "DNAT --to-destination "+e.target()),
	}
}

// recent is the match that writes a caller down, or asks whether it was.
func (o On) recent(verb, list string) string {
	mask := "255.255.255.255"
	if o.IPv6 {
		mask = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
	}
	return fmt.Sprintf("-m recent %s --name %s --mask %s --rsource", verb, list, mask)
}

// short is a name of a fixed length for a long one.
func short(prefix, name string) string {
	sum := sha256.Sum256([]byte(name))
	return prefix + base32.StdEncoding.EncodeToString(sum[:10])
}
