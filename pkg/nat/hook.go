package nat

import (
	"context"
	"fmt"

	"github.com/cnetlab/cnet/pkg/fact"
)

// The chains that are cnet's own.
const (
	chainForward     = "CNET-FORWARD"     // filter: GUARD, then ALLOW
	chainGuard       = "CNET-GUARD"       // filter: what no network lets in
	chainAllow       = "CNET-ALLOW"       // filter: what the guard let pass
	chainPostrouting = "CNET-POSTROUTING" // nat: masquerade
	chainPublish     = "CNET-PUBLISH"     // nat: published ports
	chainRaw         = "CNET-RAW"         // raw: what no container may send
	chainService     = "CNET-SERVICE"     // nat: what the siblings call a service by
	chainServiceOut  = "CNET-SERVICE-OUT" // nat: the same for the host
	chainRefuse      = "CNET-REFUSE"      // filter: what the host calls in vain
)

// The roles of a [Hook].
const (
	RoleForward     = "forward"
	RolePostrouting = "postrouting"
	RolePublish     = "publish"
	RoleLoopback    = "loopback"
	RoleService     = "service"
	RoleTable       = "table" // of nftables only: the table that the others stand in
)

// Hook is the fact that chains of cnet's own stand in a table and that packets
// enter them from the built-in ones, before any other rule. By hand, for the
// role "postrouting":
//
//	iptables -t nat -N CNET-POSTROUTING
//	iptables -t nat -I POSTROUTING 1 -m comment --comment cnet -j CNET-POSTROUTING
//
// Rules in chains of one's own can be counted, listed and removed without
// touching anybody else's: docker, ufw and firewalld do the same.
type Hook struct {
	On
	Role string `json:"role"` // one of the roles above
}

// Hooks are the facts that a role needs, in the order in which they are made.
// With nftables one table is for both families.
func Hooks(on On, role string) []Hook {
	if on.Backend == Nftables {
		return []Hook{on.hook(RoleTable), on.hook(role)}
	}
	return []Hook{on.hook(role)}
}

func (o On) hook(role string) Hook {
	if o.Backend == Nftables {
		o.IPv6 = false
	}
	return Hook{On: o, Role: role}
}

// Needs is the table, with nftables.
func (h Hook) Needs() []fact.Key {
	if h.Backend != Nftables || h.Role == RoleTable {
		return nil
	}
	return h.hooks(RoleTable)
}

// Key is the role.
func (h Hook) Key() fact.Key { return h.key("nat.hook", h.Role) }

// Say names the packets and the chain.
func (h Hook) Say() string {
	if h.Backend == Nftables {
		return h.sayNft()
	}
	switch h.Role {
	case RoleForward:
		return fmt.Sprintf("Forwarded %s packets pass cnet's chain %s first.", h.family(), chainForward)
	case RolePostrouting:
		return fmt.Sprintf("New %s connections that leave pass cnet's chain %s first.", h.family(), chainPostrouting)
	case RolePublish:
		return fmt.Sprintf("New %s connections to an address of the host pass cnet's chain %s first.", h.family(), chainPublish)
	case RoleLoopback:
		if h.IPv6 {
			return fmt.Sprintf("The host's own connections to ::1 pass cnet's chain %s.", chainPublish)
		}
		return fmt.Sprintf("Arriving %s packets pass cnet's chain %s before anything else.", h.family(), chainRaw)
	}
	if h.Role == RoleService {
		return fmt.Sprintf("New %s connections to services pass cnet's chains %s and, of the host, %s.", h.family(), chainService, chainServiceOut)
	}
	return fmt.Sprintf("The host has cnet's %s chains for %q.", h.family(), h.Role)
}

// Why is what the chains are for.
func (h Hook) Why() string {
	switch h.Role {
	case RoleTable:
		return "All of cnet's chains and maps stand in it, for both families, and in one table they change at once."
	case RoleForward:
		if h.Backend == Nftables {
			return "Without a guard everything could reach the containers."
		}
		return "A DROP policy of another firewall would lose the containers' packets, and without a guard everything could reach them."
	case RolePostrouting:
		return "Containers would reach nothing beyond the host: source addresses are rewritten here, on the way out."
	case RolePublish:
		return "Published ports would not answer: destinations are rewritten here, on arrival and for the host's own connections."
	case RoleService:
		return "The address of a service is on no link: calls to it are rewritten here, on arrival and for the host's own."
	case RoleLoopback:
		if h.IPv6 {
			return "Published ports would not answer by ::1, which is what localhost often means."
		}
		return "Packets that claim to be for 127.0.0.1 must be stopped before the kernel believes them."
	}
	return ""
}

// Probe looks for the chains and for the jumps to them, and whether a rule that
// stands before a jump decides over packets which are for cnet to decide over.
func (h Hook) Probe(ctx context.Context) (fact.Truth, error) { return probe(ctx, h) }

// Make makes the chains; if one exists already the error wraps fs.ErrExist.
func (h Hook) Make(ctx context.Context) error { return h.MakeAll(ctx, []fact.Fact{h}) }

// Break deletes the jumps and the chains with all that is in them.
func (h Hook) Break(ctx context.Context) error { return h.BreakAll(ctx, []fact.Fact{h}) }

// Mend makes the chains and jumps that are missing, and moves the jumps to the
// first place. The rules of others stay, and so do those in the chains.
func (h Hook) Mend(ctx context.Context) error { return mend(ctx, h) }

// Commands are the same by hand.
func (h Hook) Commands(v fact.Verb) []fact.Command { return commands(v, h) }

func (h Hook) iptables() []Rule {
	switch h.Role {
	case RoleForward:
		return []Rule{
			h.chain("filter", chainForward),
			h.chain("filter", chainGuard),
			h.chain("filter", chainAllow),
			h.rule("filter", chainForward, "", "", chainGuard),
			h.rule("filter", chainForward, "", "", chainAllow),
			h.enter("filter", "FORWARD", "", chainForward),
		}
	case RolePostrouting:
		return []Rule{
			h.chain("nat", chainPostrouting),
			h.enter("nat", "POSTROUTING", "", chainPostrouting),
		}
	case RolePublish:
		return []Rule{
			h.chain("nat", chainPublish),
			h.enter("nat", "PREROUTING", h.outer()+" -m addrtype --dst-type LOCAL", chainPublish),
			h.enter("nat", "OUTPUT", h.inner()+" -m addrtype --dst-type LOCAL", chainPublish),
		}
	case RoleService:
		return []Rule{
			h.chain("nat", chainService),
			h.chain("nat", chainServiceOut),
			h.chain("filter", chainRefuse),
			h.enter("nat", "PREROUTING", "", chainService),
			h.enter("nat", "OUTPUT", "", chainServiceOut),
			h.enter("filter", "OUTPUT", "", chainRefuse),
		}
	case RoleLoopback:
		if h.IPv6 {
			return []Rule{h.enter("nat", "OUTPUT", "-d ::1", chainPublish)}
		}
		return []Rule{
			h.chain("raw", chainRaw),
			h.enter("raw", "PREROUTING", "", chainRaw),
		}
	}
	return nil
}

// enter is the jump from a built-in chain to one of cnet's.
func (h Hook) enter(table, from, words, to string) Rule {
	return h.rule(table, from, words, "cnet", to).first()
}

// outer leaves out the loopback addresses on arrival: a neighbour on the LAN can
// send a packet to 127.0.0.1, and it must not be rewritten before the kernel
// has had a chance to drop it as a martian.
func (h Hook) outer() string {
	if h.IPv6 {
		return "! -d ::1"
	}
	return "! -d 127.0.0.0/8"
}

// inner leaves out ::1, which works only where the role "loopback" can be had;
// elsewhere a call had better be refused at once than wait in vain.
func (h Hook) inner() string {
	if h.IPv6 {
		return "! -d ::1"
	}
	return ""
}
