package bridge

import (
	"context"
	"fmt"

	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/vishvananda/netlink/nl"
)

// Isolated is a port that exchanges no frames with other isolated ports of its
// bridge. It still reaches the host, and so the outside. By hand:
//
//	bridge link set dev web-eth0 isolated on
//
// Source: bridge(8).
type Isolated struct {
	Link  string     `json:"link"`
	Netns string     `json:"netns,omitempty"` // path; "" is the host
	Of    []fact.Key `json:"of,omitempty"`    // what it goes with
}

func (i Isolated) Key() fact.Key {
	return fact.Key{Kind: "bridge.isolated", Netns: i.Netns, Name: i.Link}
}

func (i Isolated) Within() []fact.Key { return i.Of }

func (i Isolated) Say() string {
	return fmt.Sprintf("Port %s hears no other isolated port.", netns.SayLink(i.Netns, i.Link))
}

func (i Isolated) Why() string {
	return "The containers of the network could reach each other."
}

func (i Isolated) Probe(ctx context.Context) (fact.Truth, error) { return i.flag().probe(ctx) }

func (i Isolated) Make(ctx context.Context) error { return i.flag().set(ctx, true) }

// Mend turns the flag on.
func (i Isolated) Mend(ctx context.Context) error { return i.Make(ctx) }

func (i Isolated) Break(ctx context.Context) error { return i.flag().clear(ctx) }

func (i Isolated) Commands(v fact.Verb) []fact.Command { return i.flag().commands(v) }

func (i Isolated) flag() flag {
	return flag{netns: i.Netns, link: i.Link, attr: nl.IFLA_BRPORT_ISOLATED, word: "isolated"}
}
