package nat

import (
	"strings"

	"github.com/cnetlab/cnet/pkg/fact"
)

// Heirs are the keys of the facts that say the same as f with the other backend.
// Where one of them is made first, f can be broken without a moment in which
// neither holds. What is no rule of a backend has none.
func Heirs(f fact.Fact) []fact.Key {
	v, ok := f.(value)
	if !ok {
		return nil
	}
	on, k := v.on(), f.Key()
	name := strings.TrimSuffix(k.Name, on.mark())
	other := On{Backend: Nftables, Netns: on.Netns}
	if on.Backend == Nftables {
		other.Backend = Iptables
	}
	_, hook := f.(Hook) // with nftables one is for both families
	var keys []fact.Key
	for _, other.IPv6 = range []bool{false, true} {
		if hook || other.IPv6 == on.IPv6 {
			keys = append(keys, other.key(k.Kind, name))
		}
	}
	return keys
}

// Inherited is f as it is to be broken where it has an heir: the flows to a
// published port or a service go on, because the heir leads them to the same place.
func Inherited(f fact.Fact) fact.Fact {
	switch f := f.(type) {
	case Publish:
		f.Inherited = true
		return f
	case Endpoint:
		f.Inherited = true
		return f
	}
	return f
}
