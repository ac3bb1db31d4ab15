package nat

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
)

// ErrBackend is the error of facts that name a backend unknown to this package.
var ErrBackend = errors.New("unknown firewall backend")

// Iptables is the backend that works through the commands iptables-restore(8),
// iptables-save(8) and iptables(8), and their ip6tables twins.
const Iptables = "iptables"

// Nftables is the backend that keeps one table, inet cnet, by netlink. It needs
// no program.
const Nftables = "nftables"

// On says where a rule stands: with which backend it is kept, for which family,
// and in which network namespace. Every fact of this package embeds it.
type On struct {
	Backend string `json:"backend"`         // [Iptables] or [Nftables]
	IPv6    bool   `json:"ipv6,omitempty"`  // for IPv6; otherwise for IPv4
	Netns   string `json:"netns,omitempty"` // path; "" is the host
}

// Available reports what the host lacks for a backend: an error that wraps
// [ErrBackend], exec.ErrNotFound for a command that is not installed, or
// syscall.EOPNOTSUPP for a kernel without nf_tables. It changes nothing.
func Available(backend string, ipv6 bool) error {
	b, err := On{Backend: backend, IPv6: ipv6}.open()
	if err != nil {
		return err
	}
	return b.available(ipv6)
}

// value is a fact of this package: plain data that a backend renders.
type value interface {
	fact.Fact
	on() On
	iptables() []Rule
	nftables() []nftObject
}

// backend keeps values as rules in the kernel.
type backend interface {
	available(ipv6 bool) error
	makeAll(context.Context, []value) error
	breakAll(context.Context, []value) error
	exchange(ctx context.Context, gone, come []value) error
	// breakBut breaks what stands of some, but for what is of others too.
	breakBut(ctx context.Context, gone, stay []value) error
	mend(context.Context, value) error
	probe(context.Context, value) (fact.Truth, error)
	commands(fact.Verb, value) []fact.Command
}

func (o On) on() On { return o }

// Requires is the backend, and for iptables the program of the family.
func (o On) Requires() string {
	if o.Backend == Iptables {
		return program(o.IPv6)
	}
	return o.Backend
}

// Ready is [Available] for the fact's backend.
func (o On) Ready() error { return Available(o.Backend, o.IPv6) }

func (o On) open() (backend, error) {
	switch o.Backend {
	case Iptables:
		return iptablesBackend{}, nil
	case Nftables:
		return nftBackend{}, nil
	}
	return nil, fmt.Errorf("%w %q", ErrBackend, o.Backend)
}

// Batch puts facts of one backend and namespace together: their rules go to the
// kernel in one transaction for each family.
func (o On) Batch() string { return strings.TrimSpace("nat " + o.Backend + " " + o.Netns) }

// MakeAll makes facts of this package, all of one backend.
func (o On) MakeAll(ctx context.Context, facts []fact.Fact) error {
	return o.all(ctx, facts, func(ctx context.Context, b backend, values []value) error {
		if err := b.makeAll(ctx, values); err != nil {
			return err
		}
		if err := moveFlows(ctx, nil, values); err != nil {
			return errors.Join(err, b.breakAll(context.WithoutCancel(ctx), values))
		}
		return nil
	})
}

// BreakAll breaks facts of this package, all of one backend. Rules went with a
// namespace that is gone.
func (o On) BreakAll(ctx context.Context, facts []fact.Fact) error {
	err := o.all(ctx, facts, func(ctx context.Context, b backend, values []value) error {
		if err := b.breakAll(ctx, values); err != nil {
			return err
		}
		return moveFlows(ctx, values, nil)
	})
	if o.Netns != "" && netns.Gone(err) {
		return nil
	}
	return err
}

// Exchange breaks facts of this package and makes others, all of one backend.
func (o On) Exchange(ctx context.Context, gone, come []fact.Fact) error {
	return o.all(ctx, gone, func(ctx context.Context, b backend, old []value) error {
		fresh, err := valuesOf(come)
		if err != nil {
			return err
		}
		if err := b.exchange(ctx, old, fresh); err != nil {
			// Something is not there any more, or already: what stays is not broken.
			if err := b.breakBut(ctx, old, fresh); err != nil {
				return err
			}
			for _, v := range fresh {
				if err := b.mend(ctx, v); err != nil {
					return errors.Join(err, b.breakAll(context.WithoutCancel(ctx), fresh))
				}
			}
		}
		return moveFlows(ctx, old, fresh)
	})
}

// all hands the values of facts to their backend, in their namespace.
func (o On) all(ctx context.Context, facts []fact.Fact, do func(context.Context, backend, []value) error) error {
	b, err := o.open()
	if err != nil {
		return err
	}
	values, err := valuesOf(facts)
	if err != nil {
		return err
	}
	return o.inside(ctx, func(ctx context.Context) error { return do(ctx, b, values) })
}

func valuesOf(facts []fact.Fact) ([]value, error) {
	values := make([]value, len(facts))
	for i, f := range facts {
		v, ok := f.(value)
		if !ok {
			return nil, fmt.Errorf("%s is no firewall rule", f.Key())
		}
		values[i] = v
	}
	return values, nil
}

// probe looks for the rules of any fact.
func probe(ctx context.Context, v value) (truth fact.Truth, err error) {
	b, err := v.on().open()
	if err != nil {
		return fact.Truth{}, err
	}
	err = v.on().inside(ctx, func(ctx context.Context) (err error) {
		truth, err = b.probe(ctx, v)
		return err
	})
	if v.on().Netns != "" && netns.Gone(err) {
		return fact.False(), nil
	}
	return truth, err
}

// mend sets right the rules of any fact.
func mend(ctx context.Context, v value) error {
	b, err := v.on().open()
	if err != nil {
		return err
	}
	return v.on().inside(ctx, func(ctx context.Context) error {
		if err := b.mend(ctx, v); err != nil {
			return err
		}
		return moveFlows(ctx, nil, []value{v})
	})
}

// commands are the commands of any fact.
func commands(verb fact.Verb, v value) []fact.Command {
	b, err := v.on().open()
	if err != nil {
		return nil
	}
	list := b.commands(verb, v)
	for i := range list {
		list[i].Argv = append(netns.Args(v.on().Netns), list[i].Argv...)
	}
	return list
}
