package bridge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Kinds are the kinds of facts of this chapter.
func Kinds() []fact.Kind {
	return []fact.Kind{
		fact.KindOf[Bridge](),
		fact.KindOf[Port](),
		fact.KindOf[Hairpin](),
		fact.KindOf[Isolated](),
		fact.KindOf[Filtered](),
	}
}

// KeyOf is the key of the host's bridge of this name.
func KeyOf(name string) fact.Key { return Bridge{Name: name}.Key() }

// Bridge is a bridge, with no ports yet and down. By hand:
//
//	ip link add name cnet-lab address 0a:77:0a:4d:00:01 type bridge
//	ip link set dev cnet-lab mtu 1400 alias 'cnet network lab'
//
// The MAC address is text; an empty one follows the ports. MTU is in bytes; 0
// follows the ports. (An MTU given in the command that makes the bridge would
// follow the ports too.) The alias is free text to find the link by.
// Source: ip-link(8).
type Bridge struct {
	Name  string     `json:"name"`
	MAC   string     `json:"mac,omitempty"`
	MTU   int        `json:"mtu,omitempty"`
	Alias string     `json:"alias,omitempty"`
	Netns string     `json:"netns,omitempty"` // path; "" is the host
	Of    []fact.Key `json:"of,omitempty"`    // what it goes with
	// Bare says that it stays without ports: a link that routes can lead over
	// to addresses that no link has.
	Bare bool `json:"bare,omitempty"`
}

func (b Bridge) Key() fact.Key {
	return fact.Key{Kind: "bridge.bridge", Netns: b.Netns, Name: b.Name}
}

func (b Bridge) Within() []fact.Key { return b.Of }

func (b Bridge) Say() string {
	if b.Bare {
		return fmt.Sprintf("There is a bridge %s without ports.", netns.SayLink(b.Netns, b.Name))
	}
	return fmt.Sprintf("There is a bridge %s.", netns.SayLink(b.Netns, b.Name))
}

// Creates marks a [fact.Creator].
func (Bridge) Creates() {}

func (b Bridge) Why() string {
	if b.Bare {
		return "Addresses that are rewritten on the way need a link that routes to them lead over, other than those that callers come by."
	}
	return "The cables of the network would end in nothing: its containers reach nobody."
}

func (b Bridge) Probe(ctx context.Context) (fact.Truth, error) {
	link, err := netns.FindLink(ctx, b.Netns, b.Name)
	if err != nil || link == nil {
		return fact.False(), err
	}
	a := link.Attrs()
	switch {
	case link.Type() != "bridge":
		return fact.Other("%s is a %s link, not a bridge", b.Name, link.Type()), nil
	case b.Alias != "" && a.Alias != "" && a.Alias != b.Alias:
		return fact.Other("alias is %q, not %q", a.Alias, b.Alias), nil
	case a.Alias != b.Alias && b.Alias != "":
		return fact.Mendable("it has lost its alias %q", b.Alias), nil
	case b.MAC != "" && a.HardwareAddr.String() != strings.ToLower(b.MAC):
		return fact.Mendable("MAC is %s, not %s; what is sent to it may not arrive", a.HardwareAddr, b.MAC), nil
	case b.MTU > 0 && a.MTU != b.MTU:
		return fact.Mendable("MTU is %d, not %d; packets of another size may be lost", a.MTU, b.MTU), nil
	}
	return fact.True(), nil
}

// Make fails with EEXIST if the name is taken, and then leaves nothing.
func (b Bridge) Make(ctx context.Context) error {
	link, err := b.link()
	if err == nil {
		err = netns.With(ctx, b.Netns, func(h *netlink.Handle) error { return h.LinkAdd(link) })
	}
	if err != nil {
		return fmt.Errorf("create bridge %s: %w", b.Name, err)
	}
	if err = fact.Reach(ctx, "configure "+b.Name); err == nil {
		err = b.configure(ctx, "")
	}
	if err != nil {
		return errors.Join(err, b.Break(ctx))
	}
	return nil
}

// Mend sets the MAC address, the MTU and the alias while the ports stay.
func (b Bridge) Mend(ctx context.Context) error { return b.configure(ctx, b.MAC) }

func (b Bridge) link() (*netlink.Bridge, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = b.Name
	if b.MAC == "" {
		return &netlink.Bridge{LinkAttrs: attrs}, nil
	}
	mac, err := net.ParseMAC(b.MAC)
	attrs.HardwareAddr = mac
	return &netlink.Bridge{LinkAttrs: attrs}, err
}

// configure sets what the kernel does not take, or does not keep, in the message
// that makes a bridge, and the MAC address if one is given.
func (b Bridge) configure(ctx context.Context, mac string) error {
	var attrs []*netns.Attr
	if mac != "" {
		addr, err := net.ParseMAC(mac)
		if err != nil {
			return err
		}
		attrs = append(attrs, nl.NewRtAttr(unix.IFLA_ADDRESS, addr))
	}
	if b.MTU > 0 {
		attrs = append(attrs, nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(b.MTU))))
	}
	if b.Alias != "" {
		attrs = append(attrs, nl.NewRtAttr(unix.IFLA_IFALIAS, []byte(b.Alias)))
	}
	if len(attrs) == 0 {
		return nil
	}
	return netns.SetLink(ctx, b.Netns, b.Name, 0, 0, attrs...)
}

func (b Bridge) Break(ctx context.Context) error { return b.BreakAll(ctx, []fact.Fact{b}) }

// Batch puts all bridges together.
func (Bridge) Batch() string { return "bridge" }

// MakeAll makes bridges one by one: the kernel makes no two at once.
func (Bridge) MakeAll(ctx context.Context, bridges []fact.Fact) error {
	return fact.MakeEach(ctx, bridges)
}

// BreakAll deletes bridges in the time of one (see [netns.DeleteLinks]).
func (Bridge) BreakAll(ctx context.Context, bridges []fact.Fact) error {
	links := make([]netns.OwnLink, 0, len(bridges))
	for _, f := range bridges {
		if b, ok := f.(Bridge); ok {
			links = append(links, netns.OwnLink{Netns: b.Netns, Name: b.Name, Alias: b.Alias})
		}
	}
	return netns.DeleteLinks(ctx, links...)
}

func (b Bridge) Commands(v fact.Verb) []fact.Command {
	switch v {
	case fact.Make:
		return b.makeCommands()
	case fact.Break:
		return []fact.Command{netns.IP(b.Netns, "link", "del", "dev", b.Name)}
	case fact.Mend:
		return b.setCommands(b.MAC)
	}
	return []fact.Command{netns.IP(b.Netns, "-d", "link", "show", "dev", b.Name)}
}

func (b Bridge) makeCommands() []fact.Command {
	add := []string{"link", "add", "name", b.Name}
	if b.MAC != "" {
		add = append(add, "address", b.MAC)
	}
	cmds := []fact.Command{netns.IP(b.Netns, append(add, "type", "bridge")...)}
	return append(cmds, b.setCommands("")...)
}

func (b Bridge) setCommands(mac string) []fact.Command {
	set := []string{"link", "set", "dev", b.Name}
	bare := len(set)
	if mac != "" {
		set = append(set, "address", mac)
	}
	if b.MTU > 0 {
		set = append(set, "mtu", fmt.Sprint(b.MTU))
	}
	if b.Alias != "" {
		set = append(set, "alias", b.Alias)
	}
	if len(set) == bare {
		return nil
	}
	return []fact.Command{netns.IP(b.Netns, set...)}
}
