package nat

import (
	"context"

	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
)

// key is the key of a fact; what stands for both families, or is kept with
// another backend while a host moves to it, has two.
func (o On) key(kind, name string) fact.Key {
	return fact.Key{Kind: kind, Netns: o.Netns, Name: name + o.mark()}
}

// mark tells the names of two facts apart that say the same of another family,
// or with another backend.
func (o On) mark() string {
	switch {
	case o.Backend == Nftables && o.IPv6:
		return " (nftables, IPv6)"
	case o.Backend == Nftables:
		return " (nftables)"
	case o.IPv6:
		return " (IPv6)"
	}
	return ""
}

// hooks are the keys of the hooks of these roles.
func (o On) hooks(roles ...string) []fact.Key {
	keys := make([]fact.Key, len(roles))
	for i, role := range roles {
		keys[i] = o.hook(role).Key()
	}
	return keys
}

func (o On) family() string {
	if o.IPv6 {
		return "IPv6"
	}
	return "IPv4"
}

// Within is the namespace that the rules stand in, if it is not the host's: they
// go with it.
func (o On) Within() []fact.Key {
	if o.Netns == "" {
		return nil
	}
	return []fact.Key{netns.KeyOf(o.Netns)}
}

// inside calls fn in the namespace of the rules. Only readings of the host's
// tables are kept for later.
func (o On) inside(ctx context.Context, fn func(context.Context) error) error {
	if o.Netns == "" {
		return fn(ctx)
	}
	return netns.Do(o.Netns, func() error { return fn(context.WithValue(ctx, sessionKey{}, (*session)(nil))) })
}
