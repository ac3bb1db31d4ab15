package nat

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/cnetlab/cnet/pkg/fact"
)

// Tracked is the fact that the kernel remembers the connections of an address
// of a container, from it and to it (conntrack(8)). It does so by itself; the
// fact is there to be broken when the address is no longer the container's:
//
//	conntrack -D -s 10.77.0.2
//	conntrack -D -r 10.77.0.2
//
// Then the next packet of a caller meets the rules as they are by now. With the
// published port gone too that is the host itself, whose TCP answers with a
// reset.
type Tracked struct {
	Container string     `json:"container"`
	Network   string     `json:"network"`
	Addr      netip.Addr `json:"addr"`
}

// Key is the address and whose it is.
func (t Tracked) Key() fact.Key {
	return fact.Key{Kind: "nat.tracked", Name: t.Addr.String() + " of " + t.Container}
}

// Say names the address.
func (t Tracked) Say() string {
	return fmt.Sprintf("The kernel remembers the connections of %s (container %s, network %s).", t.Addr, t.Container, t.Network)
}

// Why is why they must be forgotten with the container.
func (t Tracked) Why() string {
	return "It does so by itself; but what is left of them when the container goes would reach the next holder of the address, and let callers wait in vain."
}

// Probe is always true: the kernel remembers without being asked.
func (t Tracked) Probe(context.Context) (fact.Truth, error) { return fact.True(), nil }

// Make leaves everything as it is.
func (t Tracked) Make(context.Context) error { return nil }

// Break deletes what is remembered.
func (t Tracked) Break(ctx context.Context) error { return t.BreakAll(ctx, []fact.Fact{t}) }

// Commands are the same by hand. They fail when nothing is remembered.
func (t Tracked) Commands(v fact.Verb) []fact.Command {
	by := func(verb, end string) fact.Command {
		return fact.Command{Argv: []string{"conntrack", verb, end, t.Addr.String()}, MayFail: true}
	}
	switch v {
	case fact.Show:
		return []fact.Command{by("-L", "-s"), by("-L", "-r")}
	case fact.Break:
		return []fact.Command{by("-D", "-s"), by("-D", "-r")}
	}
	return nil
}

// Batch puts all of them together: the kernel's table is read once.
func (t Tracked) Batch() string { return "conntrack" }

// MakeAll leaves everything as it is.
func (t Tracked) MakeAll(context.Context, []fact.Fact) error { return nil }

// BreakAll deletes what is remembered of all the addresses.
func (t Tracked) BreakAll(_ context.Context, facts []fact.Fact) error {
	gone := make(map[netip.Addr]bool, len(facts))
	for _, f := range facts {
		if t, ok := f.(Tracked); ok {
			gone[t.Addr] = true
		}
	}
	return forget(kind{}, func(f flow) bool { return gone[f.orig.src] || gone[f.reply.src] })
}
