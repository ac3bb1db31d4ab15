package nat

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/cnetlab/cnet/pkg/fact"
)

// Refuse is the fact that what is still for an address of a service when all
// rewriting is over is refused at once: no backend is ready, the port is another,
// or the caller is a stranger. By hand:
//
//	iptables -A CNET-REFUSE -d 10.76.0.1 -p tcp -j REJECT --reject-with tcp-reset
//	iptables -A CNET-REFUSE -d 10.76.0.1 -j REJECT
//	iptables -I CNET-GUARD 1 -d 10.76.0.1 -j CNET-REFUSE
//
// for the host's own, and for what is forwarded. With nf_tables:
//
//	nft add element inet cnet refused4 { 10.76.0.1 comment "cnet service web" }
//
// TCP is answered in kind: the kernel sends one caller few ICMP errors in a second
// (icmp_ratelimit in networking/ip-sysctl), and a process of the host that is
// connecting just then would miss it.
// Needs the [Hook]s "service" and "forward".
type Refuse struct {
	On
	Service string     `json:"service"`
	VIP     netip.Addr `json:"vip"`
}

// Key is the address.
func (r Refuse) Key() fact.Key { return r.key("nat.refuse", r.VIP.String()) }

// Needs are the hooks that its rules need.
func (r Refuse) Needs() []fact.Key { return r.hooks(RoleForward, RoleService) }

// Say names the address.
func (r Refuse) Say() string {
	return fmt.Sprintf("What is for %s (service %s) and for none of its backends is refused.", r.VIP, r.Service)
}

// Why is what breaks without it.
func (r Refuse) Why() string {
	return "No link has the address: callers of a service without backends, or of another of its ports, would wait for an answer in vain."
}

// Probe looks for the rules.
func (r Refuse) Probe(ctx context.Context) (fact.Truth, error) { return probe(ctx, r) }

// Make adds the rules.
func (r Refuse) Make(ctx context.Context) error { return r.MakeAll(ctx, []fact.Fact{r}) }

// Break deletes the rules.
func (r Refuse) Break(ctx context.Context) error { return r.BreakAll(ctx, []fact.Fact{r}) }

// Mend sets right what is missing, or stands more than once.
func (r Refuse) Mend(ctx context.Context) error { return mend(ctx, r) }

// Commands are the same by hand.
func (r Refuse) Commands(v fact.Verb) []fact.Command { return commands(v, r) }

func (r Refuse) iptables() []Rule {
	to, how := "-d "+single(r.VIP), "REJECT --reject-with icmp-port-unreachable"
	if r.IPv6 {
		how = "REJECT --reject-with icmp6-port-unreachable"
	}
	note := "cnet service " + r.Service
	return []Rule{
		r.rule("filter", chainRefuse, to+" -p tcp", note, "REJECT --reject-with tcp-reset"),
		r.rule("filter", chainRefuse, to, note, how),
		r.rule("filter", chainGuard, to, note, chainRefuse).first(),
	}
}

func (r Refuse) nftables() []nftObject {
	return []nftObject{nftElement{set: r.refused(), key: nftFields{addrField(r.VIP)}, note: "cnet service " + r.Service}}
}
