package nat

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/cnetlab/cnet/pkg/fact"
)

// Publish is the fact that a port of the host, or a range of ports, is a port of
// a container. By hand:
//
//	iptables -t nat -A CNET-PUBLISH -p tcp --dport 8080 -j DNAT --to-destination 10.77.0.2:80
//	iptables -t nat -A CNET-PUBLISH -p udp --dport 7000:7009 -j DNAT --to-destination 10.77.0.2:8000-8009/7000
//
// The number after the slash is the port that becomes the first of the
// container's range. The rule is asked for the first packet of a connection. A
// flow of UDP has no end that the kernel could see, so what it remembers of
// flows that now go elsewhere is forgotten too (conntrack(8)):
//
//	conntrack -D -p udp -d 192.0.2.1 --orig-port-dst 8080         # make: for each address of the host
//	conntrack -D -p udp --orig-port-dst 8080 --dst-nat 10.77.0.2  # break
//
// With nf_tables it is an element of a map. A range is one too if it keeps its
// numbers; else each of its ports is one, because there is no arithmetic of ports:
//
//	nft add element inet cnet ports4 { tcp . 8080 comment "cnet web" : 10.77.0.2 . 80 }
//	nft add element inet cnet ranges4 { 0.0.0.0/0 . udp . 9000-9009 comment "cnet web" : 10.77.0.2 }
//
// Needs the [Hook] "publish".
type Publish struct {
	On
	Container string     `json:"container"`
	HostIP    netip.Addr `json:"hostip"`   // zero: any address of the host
	HostPort  uint16     `json:"hostport"` // first port of the host
	HostEnd   uint16     `json:"hostend"`  // last port of the host; HostPort if there is one only
	Proto     string     `json:"proto"`    // "tcp", "udp", "sctp"
	To        netip.Addr `json:"to"`       // the container's address
	Port      uint16     `json:"port"`     // first port of the container
	// Inherited: another backend leads there too. Broken, it leaves the flows alone.
	Inherited bool `json:"inherited,omitempty"`
}

// Key is the host's side: a port of the host can have one meaning only.
func (p Publish) Key() fact.Key { return p.key("nat.publish", p.host()) }

// Needs is the hook that its rules need.
func (p Publish) Needs() []fact.Key { return p.hooks(RolePublish) }

// Say names both sides.
func (p Publish) Say() string {
	return fmt.Sprintf("Connections to the host's %s go to %s (container %s).", p.host(), p.target(), p.Container)
}

// Why is what breaks without it.
func (p Publish) Why() string {
	return "The container's address is private: outsiders can only call the host, which would refuse."
}

// Probe looks for the rule.
func (p Publish) Probe(ctx context.Context) (fact.Truth, error) { return probe(ctx, p) }

// Make adds the rule.
func (p Publish) Make(ctx context.Context) error { return p.MakeAll(ctx, []fact.Fact{p}) }

// Break deletes the rule.
func (p Publish) Break(ctx context.Context) error { return p.BreakAll(ctx, []fact.Fact{p}) }

// Mend leaves one of the rule, where it stands more than once.
func (p Publish) Mend(ctx context.Context) error { return mend(ctx, p) }

// Commands are the same by hand.
func (p Publish) Commands(v fact.Verb) []fact.Command {
	list := commands(v, p)
	if len(list) > 0 && p.movesFlows(v) {
		list = append(list, p.moveCommands(v)...)
	}
	return list
}

func (p Publish) iptables() []Rule {
	words := fmt.Sprintf("-p %s --dport %s", p.Proto, span(p.HostPort, p.last(), ":"))
	if !p.anyHost() {
		words = "-d " + p.HostIP.String() + " " + words
	}
	return []Rule{p.rule("nat", chainPublish, words, "cnet "+p.Container, "DNAT --to-destination "+p.target())}
}

// target is the container's side as DNAT takes it. A range that keeps its
// numbers names none: the kernel then leaves the port alone.
func (p Publish) target() string {
	to := netip.AddrPortFrom(p.To, p.Port).String()
	switch {
	case p.last() == p.HostPort:
		return to
	case p.Port == p.HostPort:
		return p.To.String()
	}
	return fmt.Sprintf("%s-%d/%d", to, p.Port+p.last()-p.HostPort, p.HostPort)
}

// anyHost reports whether every address of the host is meant.
func (p Publish) anyHost() bool { return !p.HostIP.IsValid() || p.HostIP.IsUnspecified() }

// host is the host's side in words: "TCP port 8080 at 192.0.2.1".
func (p Publish) host() string {
	s := p.Proto + " port " + span(p.HostPort, p.last(), "-")
	if !p.anyHost() {
		s += " at " + p.HostIP.String()
	}
	return s
}

func (p Publish) last() uint16 {
	if p.HostEnd == 0 {
		return p.HostPort
	}
	return p.HostEnd
}

// span is "8080" or "7000:7009".
func span(first, last uint16, to string) string {
	s := strconv.Itoa(int(first))
	if first != last {
		s += to + strconv.Itoa(int(last))
	}
	return s
}
