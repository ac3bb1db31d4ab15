package nat

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/cnetlab/cnet/pkg/fact"
)

// Balance is the fact that the new connections to a service are shared out among
// its endpoints, in proportion to their weights. By hand, for three alike:
//
//	iptables -t nat -N CNET-SVC-6DQ2WOJK
//	iptables -t nat -A CNET-SVC-6DQ2WOJK -m statistic --mode random --probability 0.3333 -j CNET-END-RX4C2AMZ
//	iptables -t nat -A CNET-SVC-6DQ2WOJK -m statistic --mode random --probability 0.5 -j CNET-END-TSZ5ZB4I
//	iptables -t nat -A CNET-SVC-6DQ2WOJK -j CNET-END-J2OXQ4RW
//	iptables -t nat -A CNET-SERVICE -d 10.76.0.1 -i br0 -p tcp --dport 80 -j CNET-SVC-6DQ2WOJK
//	iptables -t nat -A CNET-SERVICE-OUT -d 10.76.0.1 -p tcp --dport 80 -j CNET-SVC-6DQ2WOJK
//
// A rule is asked only for what the ones before it left, so each probability is
// that of the endpoint among those that are left: with a third for all, two of
// nine connections would find none. With exact shares the rules count instead.
// With nf_tables the chain is found by a map, however many services there are, and
// the rules in it are alike:
//
//	nft add rule inet cnet service4-web-tcp-80 numgen random mod 3 < 1 jump endpoint4-web-tcp-80-c1
//	nft add rule inet cnet service4-web-tcp-80 numgen random mod 2 < 1 jump endpoint4-web-tcp-80-c2
//	nft add rule inet cnet service4-web-tcp-80 jump endpoint4-web-tcp-80-c3
//	nft add element inet cnet services4 { "br0" . 10.76.0.1 . tcp . 80 : jump service4-web-tcp-80 }
//
// One draw, looked up in a map of ranges, would be shorter. But while such a map
// was exchanged connections were seen to be refused (Linux 6.18): it seemed to be
// empty for a moment after its rules were there. Rules of one chain change
// at once. A client's address is looked up: by its hash, in a map of plain numbers.
//
// The tables see the first packet of a connection only: one that stands stays
// with its endpoint, whatever becomes of the shares. So that flows of UDP that led
// nowhere find one, they are forgotten when the rules stand (conntrack(8)):
//
//	conntrack -D -p udp -d 10.76.0.1 -r 10.76.0.1 --orig-port-dst 53
//
// Who may call are the siblings, by their links, the host itself and, where the
// service is published, who calls the host. Needs the [Hook] "service" and the
// [Endpoint]s; published, the hook "publish" too.
type Balance struct {
	On
	Front
	Iface   string     `json:"iface"` // the siblings' links: a bridge, or "cnet-lab+" for all cables of a ptp network
	Publish []HostPort `json:"publish,omitempty"`
	Shares  []Share    `json:"shares"`
	Exact   bool       `json:"exact,omitempty"` // in turn, not by chance
	// Affinity is for how many seconds a client keeps its endpoint; 0: not at all.
	// With nf_tables it keeps it for good, while the shares stay.
	Affinity int `json:"affinity,omitempty"`
}

// HostPort is a port of the host that leads to a service.
type HostPort struct {
	IP   netip.Addr `json:"ip"` // zero: any address of the host
	Port uint16     `json:"port"`
}

// Share is what a container is given of the connections, in proportion to the
// weights of all.
type Share struct {
	Container string `json:"container"`
	Weight    int    `json:"weight"` // more than 0
}

// Key is the front.
func (b Balance) Key() fact.Key { return b.key("nat.balance", b.name()) }

// Needs are the hooks that its rules need, and the endpoints.
func (b Balance) Needs() []fact.Key {
	keys := b.hooks(RoleService)
	if len(b.Publish) > 0 {
		keys = append(keys, b.hooks(RolePublish)...)
	}
	for _, s := range b.Shares {
		keys = append(keys, b.endpoint(s.Container).Key())
	}
	return keys
}

func (b Balance) endpoint(container string) Endpoint {
	return Endpoint{On: b.On, Front: b.Front, Container: container}
}

// Say names the shares.
func (b Balance) Say() string {
	list := make([]string, len(b.Shares))
	for i, s := range b.Shares {
		list[i] = s.Container
		if len(b.Shares) > 1 {
			list[i] = fmt.Sprintf("%s %d", s.Container, s.Weight)
		}
	}
	return fmt.Sprintf("New connections to %s %s %s.", b.Front, b.manner(), strings.Join(list, ", "))
}

func (b Balance) manner() string {
	if len(b.Shares) == 1 {
		return "are given to"
	}
	how := "by chance"
	switch {
	case b.Affinity > 0:
		how = "by the client's address"
	case b.Exact:
		how = "in turn"
	}
	return fmt.Sprintf("are shared %s, of %d:", how, b.sum())
}

func (b Balance) sum() (n int) {
	for _, s := range b.Shares {
		n += s.Weight
	}
	return n
}

// Why is what breaks without it.
func (b Balance) Why() string {
	return "The service's address is on no link: without a rule that leads to its backends nobody answers there."
}

// Probe looks for the rules.
func (b Balance) Probe(ctx context.Context) (fact.Truth, error) { return probe(ctx, b) }

// Make adds the rules.
func (b Balance) Make(ctx context.Context) error { return b.MakeAll(ctx, []fact.Fact{b}) }

// Break deletes the rules.
func (b Balance) Break(ctx context.Context) error { return b.BreakAll(ctx, []fact.Fact{b}) }

// Mend sets right what is missing, or in another order.
func (b Balance) Mend(ctx context.Context) error { return mend(ctx, b) }

// Commands are the same by hand.
func (b Balance) Commands(v fact.Verb) []fact.Command {
	list := commands(v, b)
	if (v == fact.Make || v == fact.Mend) && len(list) > 0 && b.movesFlows(v) {
		list = append(list, b.moveCommands()...)
	}
	return list
}

func (b Balance) iptables() []Rule {
	if b.sum() == 0 {
		return nil
	}
	chain := short("CNET-SVC-", b.name())
	rules := append([]Rule{b.chain("nat", chain)}, b.choices(chain)...)
	to, port := "-d "+single(b.VIP), fmt.Sprintf(" -p %s --dport %d", b.Proto, b.Port)
	rules = append(rules,
		b.rule("nat", chainService, to+" -i "+b.Iface+port, b.note(), chain), // in the order of iptables-save
		b.rule("nat", chainServiceOut, to+port, b.note(), chain))
	for _, p := range b.Publish {
		words := fmt.Sprintf("-p %s --dport %d", b.Proto, p.Port)
		if p.IP.IsValid() && !p.IP.IsUnspecified() {
			words = "-d " + p.IP.String() + " " + words
		}
		rules = append(rules, b.rule("nat", chainPublish, words, b.note(), chain))
	}
	return rules
}

// single is an address as iptables writes it where a prefix may stand.
func single(ip netip.Addr) string { return netip.PrefixFrom(ip, ip.BitLen()).String() }

// choices are the rules of the chain that chooses.
func (b Balance) choices(chain string) (rules []Rule) {
	if b.Affinity > 0 {
		for _, s := range b.Shares {
			to := b.endpoint(s.Container).chain()
			rules = append(rules, b.rule("nat", chain, b.recent(fmt.Sprintf("--rcheck --seconds %d --reap", b.Affinity), to), "", to))
		}
	}
	for _, q := range b.questions() {
		words := ""
		switch {
		case q.of == 0:
		case b.Exact:
			words = fmt.Sprintf("-m statistic --mode nth --every %d --packet 0", q.of)
		default:
			words = fmt.Sprintf("-m statistic --mode random --probability %.11f", chance(q.parts, q.of))
		}
		rules = append(rules, b.rule("nat", chain, words, "", b.endpoint(q.container).chain()))
	}
	return rules
}

// chance is weight of left as the kernel keeps it, in units of 2^-31.
func chance(weight, left int) float64 {
	const unit = 1 << 31
	return float64((int64(weight)*unit+int64(left)/2)/int64(left)) / unit
}
