package nat

import (
	"context"
	"fmt"

	"github.com/cnetlab/cnet/pkg/fact"
)

// Found is the fact that something stands in table inet cnet that no other fact
// renders: somebody put it there. It can be deleted, but not be made:
//
//	nft delete rule inet cnet forward handle 7
type Found struct {
	On
	What   string `json:"what"`             // "rule", "chain", "set", "map" or "element"
	Name   string `json:"name"`             // of the chain, the set or the map
	Handle uint64 `json:"handle,omitempty"` // of a rule: its number (nft -a)
	Low    []byte `json:"low,omitempty"`    // of an element: its first key, as the kernel has it
	End    []byte `json:"end,omitempty"`    // its last key, or the one after that
}

// Key is the thing and where it stands.
func (f Found) Key() fact.Key { return f.key("nat.found", f.object().String()) }

// Say names it.
func (f Found) Say() string {
	return fmt.Sprintf("Table inet %s has the %s.", nftTableName, f.object())
}

// Why is why it should go.
func (f Found) Why() string {
	return "It stands in cnet's table and may decide over packets, and nothing that cnet knows of wants it."
}

// Probe looks whether it is still there.
func (f Found) Probe(ctx context.Context) (fact.Truth, error) { return probe(ctx, f) }

// Make fails: only its name is known.
func (f Found) Make(context.Context) error {
	return fmt.Errorf("the %s was found, and cannot be made", f.object())
}

// Break deletes it.
func (f Found) Break(ctx context.Context) error { return f.BreakAll(ctx, []fact.Fact{f}) }

// Commands are the same by hand. What is in a map may lead to another that goes.
func (f Found) Commands(v fact.Verb) []fact.Command {
	list := commands(v, f)
	if s, ok := f.object().(nftSet); ok && v == fact.Break {
		list = append([]fact.Command{nftCommand(s.words("flush"))}, list...)
	}
	return list
}

func (Found) iptables() []Rule { return nil }

func (f Found) nftables() []nftObject { return []nftObject{f.object()} }

func (f Found) object() nftObject {
	switch f.What {
	case "chain":
		return nftChain{name: f.Name}
	case "set":
		return nftSet{name: f.Name}
	case "map":
		return nftSet{name: f.Name, data: nftTypes{typeVerdict}}
	case "element":
		if s, ok := setNamed(knownSets(), f.Name); ok {
			return nftElement{set: s, key: s.fields(f.Low, f.End)}
		}
	}
	return nftNumbered{f.Name, f.Handle}
}
