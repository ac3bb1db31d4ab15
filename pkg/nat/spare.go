package nat

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/cnetlab/cnet/pkg/fact"
)

// Spare is the fact that what calls a gateway at a port comes to who listens
// there, whatever ports are published at every address of the host. By hand:
//
//	iptables -t nat -I CNET-PUBLISH 1 -d 10.77.0.1 -p udp --dport 53 -j RETURN
//	iptables -t nat -I CNET-PUBLISH 1 -d 10.77.0.1 -p tcp --dport 53 -j RETURN
//
// A gateway's address is one of the host's: a port published there would take the
// containers' queries for names to the container that published it. With nf_tables
// it is an element of a set:
//
//	nft add element inet cnet spared4 { 10.77.0.1 . udp . 53 comment "cnet lab" }
//
// Needs the [Hook]s "publish", for services "service".
type Spare struct {
	On
	Network  string     `json:"network"`
	Gateway  netip.Addr `json:"gateway"`
	Port     uint16     `json:"port"`
	Ports    bool       `json:"ports,omitempty"`    // published ports of containers
	Services bool       `json:"services,omitempty"` // and of services
}

// Key is the network.
func (s Spare) Key() fact.Key { return s.key("nat.spare", s.Network) }

// Needs are the hooks that its rules need.
func (s Spare) Needs() []fact.Key {
	switch {
	case s.Backend == Iptables || !s.Services:
		return s.hooks(RolePublish)
	case !s.Ports:
		return s.hooks(RoleService)
	}
	return s.hooks(RolePublish, RoleService)
}

// Say names the gateway.
func (s Spare) Say() string {
	return fmt.Sprintf("Calls to %s port %d (network %s) stay with who listens there, whatever is published.", s.Gateway, s.Port, s.Network)
}

// Why is what breaks without it.
func (s Spare) Why() string {
	return "The containers' queries for names would be led to the container that published that port."
}

// Probe looks for the rules.
func (s Spare) Probe(ctx context.Context) (fact.Truth, error) { return probe(ctx, s) }

// Make adds the rules.
func (s Spare) Make(ctx context.Context) error { return s.MakeAll(ctx, []fact.Fact{s}) }

// Break deletes the rules.
func (s Spare) Break(ctx context.Context) error { return s.BreakAll(ctx, []fact.Fact{s}) }

// Mend sets right what is missing, or stands more than once.
func (s Spare) Mend(ctx context.Context) error { return mend(ctx, s) }

// Commands are the same by hand.
func (s Spare) Commands(v fact.Verb) []fact.Command { return commands(v, s) }

// sparedProtos are those that names are asked by.
func sparedProtos() []string { return []string{"udp", "tcp"} }

func (s Spare) iptables() (rules []Rule) {
	for _, proto := range sparedProtos() {
		words := fmt.Sprintf("-d %s -p %s --dport %d", single(s.Gateway), proto, s.Port)
		rules = append(rules, s.rule("nat", chainPublish, words, "cnet "+s.Network, "RETURN").first())
	}
	return rules
}

func (s Spare) nftables() (list []nftObject) {
	for _, proto := range sparedProtos() {
		key := nftFields{addrField(s.Gateway), protoField(proto), portField(s.Port, s.Port)}
		if s.Ports {
			list = append(list, nftElement{set: s.spared(), key: key, note: "cnet " + s.Network})
		}
		if s.Services {
			list = append(list, nftElement{set: s.sparedOfServices(), key: key, note: "cnet " + s.Network})
		}
	}
	return list
}

func (o On) spared() nftSet {
	return nftSet{name: o.named("spared"), key: nftTypes{o.addrType(), typeProto, typePort}}
}

func (o On) sparedOfServices() nftSet {
	s := o.spared()
	s.name = "service-" + s.name
	return s
}
