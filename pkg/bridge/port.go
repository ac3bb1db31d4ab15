package bridge

import (
	"context"
	"fmt"

	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Port is a link that is a port of a bridge. By hand:
//
//	ip link set dev web-eth0 master cnet-lab
//
// Source: ip-link(8).
type Port struct {
	Link   string     `json:"link"`
	Bridge string     `json:"bridge"`
	Netns  string     `json:"netns,omitempty"` // path; "" is the host
	Of     []fact.Key `json:"of,omitempty"`    // what it goes with
}

func (p Port) Key() fact.Key { return fact.Key{Kind: "bridge.port", Netns: p.Netns, Name: p.Link} }

func (p Port) Within() []fact.Key { return p.Of }

func (p Port) Say() string {
	return fmt.Sprintf("%s is a port of bridge %s.", netns.SayLink(p.Netns, p.Link), p.Bridge)
}

func (p Port) Why() string {
	return "What is behind " + p.Link + " would reach nobody in the network, and nobody it."
}

func (p Port) Probe(ctx context.Context) (fact.Truth, error) {
	link, err := netns.FindLink(ctx, p.Netns, p.Link)
	if err != nil || link == nil || link.Attrs().MasterIndex == 0 {
		return fact.False(), err
	}
	bridge, err := netns.FindLink(ctx, p.Netns, p.Bridge)
	if err != nil {
		return fact.Truth{}, err
	}
	if bridge == nil || bridge.Attrs().Index != link.Attrs().MasterIndex {
		return fact.Mendable("%s is a port of another link than %s", p.Link, p.Bridge), nil
	}
	return fact.True(), nil
}

// Make fails with EEXIST if the link is a port already, of another link.
func (p Port) Make(ctx context.Context) error {
	bridge, err := netns.Index(ctx, p.Netns, p.Bridge)
	if err != nil {
		return err
	}
	master, err := p.master(ctx)
	switch {
	case err != nil:
		return err
	case master == bridge:
		return nil
	case master != 0:
		return fmt.Errorf("put %s in bridge %s: it is a port of another link: %w", p.Link, p.Bridge, unix.EEXIST)
	}
	return p.set(ctx, bridge)
}

// Mend plugs the link into the bridge, out of whichever it is in.
func (p Port) Mend(ctx context.Context) error {
	bridge, err := netns.Index(ctx, p.Netns, p.Bridge)
	if err != nil {
		return err
	}
	return p.set(ctx, bridge)
}

// Break takes the link out of the bridge, unless it is in another by now.
func (p Port) Break(ctx context.Context) error {
	bridge, err := netns.Index(ctx, p.Netns, p.Bridge)
	if err == nil {
		var master int
		master, err = p.master(ctx)
		if err == nil && master == bridge {
			err = p.set(ctx, 0)
		}
	}
	if err != nil && !netns.Gone(err) {
		return err
	}
	return nil
}

// master is the number of the link that this one is a port of, or 0.
func (p Port) master(ctx context.Context) (int, error) {
	_, attrs, err := netns.LinkAttrs(ctx, p.Netns, p.Link)
	for _, a := range attrs {
		if a.Attr.Type == unix.IFLA_MASTER {
			return int(nl.NativeEndian().Uint32(a.Value)), err
		}
	}
	return 0, err
}

func (p Port) set(ctx context.Context, master int) error {
	return netns.SetLink(ctx, p.Netns, p.Link, 0, 0, nl.NewRtAttr(unix.IFLA_MASTER, nl.Uint32Attr(uint32(master))))
}

func (p Port) Commands(v fact.Verb) []fact.Command {
	switch v {
	case fact.Make, fact.Mend:
		return []fact.Command{netns.IP(p.Netns, "link", "set", "dev", p.Link, "master", p.Bridge)}
	case fact.Break:
		return []fact.Command{netns.IP(p.Netns, "link", "set", "dev", p.Link, "nomaster")}
	}
	return []fact.Command{netns.Bridge(p.Netns, "link", "show", "dev", p.Link)}
}
