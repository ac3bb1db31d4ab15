package bridge

import (
	"context"
	"fmt"

	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/vishvananda/netlink/nl"
)

// Hairpin is a port that may send a frame back out the way it came in. It is
// needed when a container reaches itself through a published port: its packet
// comes back to it with another address. By hand:
//
//	bridge link set dev web-eth0 hairpin on
//
// Source: bridge(8).
type Hairpin struct {
	Link  string     `json:"link"`
	Netns string     `json:"netns,omitempty"` // path; "" is the host
	Of    []fact.Key `json:"of,omitempty"`    // what it goes with
}

func (h Hairpin) Key() fact.Key {
	return fact.Key{Kind: "bridge.hairpin", Netns: h.Netns, Name: h.Link}
}

func (h Hairpin) Within() []fact.Key { return h.Of }

func (h Hairpin) Say() string {
	return fmt.Sprintf("Port %s may send frames back the way they came.", netns.SayLink(h.Netns, h.Link))
}

func (h Hairpin) Why() string {
	return "The container could not reach itself by a port that it publishes."
}

func (h Hairpin) Probe(ctx context.Context) (fact.Truth, error) { return h.flag().probe(ctx) }

func (h Hairpin) Make(ctx context.Context) error { return h.flag().set(ctx, true) }

// Mend turns the flag on.
func (h Hairpin) Mend(ctx context.Context) error { return h.Make(ctx) }

func (h Hairpin) Break(ctx context.Context) error { return h.flag().clear(ctx) }

func (h Hairpin) Commands(v fact.Verb) []fact.Command { return h.flag().commands(v) }

func (h Hairpin) flag() flag {
	return flag{netns: h.Netns, link: h.Link, attr: nl.IFLA_BRPORT_MODE, word: "hairpin"}
}
