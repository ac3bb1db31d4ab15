package veth

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Kinds are the kinds of facts of this chapter.
func Kinds() []fact.Kind { return []fact.Kind{fact.KindOf[Pair]()} }

// KeyOf is the key of the pair whose near end is called name, in the namespace
// at path ("" is the host).
func KeyOf(path, name string) fact.Key { return Pair{Netns: path, Name: name}.Key() }

// Pair is a veth pair: a link Name, joined to a link Peer in the namespace at
// PeerNetns. By hand:
//
//	ip link add name web-eth0 mtu 1500 type veth peer name eth0 address 0a:77:0a:4d:00:02 mtu 1500 netns web
//	ip link set dev web-eth0 alias 'cnet container web'
//
// MAC addresses are text ("0a:77:0a:4d:00:02"); an empty one is the kernel's
// choice. MTU is in bytes and holds for both ends; 0 is the kernel's choice. The
// alias, which is free text to find the link by, goes on the end Name.
// Source: veth(4), ip-link(8).
type Pair struct {
	Name  string `json:"name"`
	MAC   string `json:"mac,omitempty"`
	MTU   int    `json:"mtu,omitempty"`
	Alias string `json:"alias,omitempty"`
	Netns string `json:"netns,omitempty"` // path; "" is the host

	Peer      string `json:"peer"`
	PeerMAC   string `json:"peer_mac,omitempty"`
	PeerNetns string `json:"peer_netns,omitempty"` // path; "" is the host

	Of []fact.Key `json:"of,omitempty"` // what it goes with
}

func (p Pair) Key() fact.Key {
	return fact.Key{Kind: "veth.pair", Netns: p.Netns, Name: p.Name}
}

func (p Pair) Within() []fact.Key { return p.Of }

// Needs is the namespace of the peer, where cnet makes it: a peer ends with it.
func (p Pair) Needs() []fact.Key {
	if p.PeerNetns == "" {
		return nil
	}
	return []fact.Key{netns.KeyOf(p.PeerNetns)}
}

func (p Pair) Say() string {
	if p.Peer == "" { // one end of a pair is all that Owned knows
		return fmt.Sprintf("A cable leads from %s to somewhere.", netns.SayLink(p.Netns, p.Name))
	}
	return fmt.Sprintf("A cable leads from %s to %s.",
		netns.SayLink(p.Netns, p.Name), netns.SayLink(p.PeerNetns, p.Peer))
}

// Creates marks a [fact.Creator].
func (Pair) Creates() {}

func (p Pair) Why() string {
	return fmt.Sprintf("No frame could cross between %s and %s.", netns.Say(p.Netns), netns.Say(p.PeerNetns))
}

// Make fails with EEXIST if either name is taken, and then leaves nothing.
func (p Pair) Make(ctx context.Context) error {
	if err := p.add(ctx); err != nil {
		return fmt.Errorf("create veth pair %s: %w", p.Name, err)
	}
	if p.Alias == "" {
		return nil
	}
	// The kernel takes no alias in the message that makes a link.
	err := fact.Reach(ctx, "alias of "+p.Name)
	if err == nil {
		err = netns.SetLink(ctx, p.Netns, p.Name, 0, 0, aliasAttr(p.Alias))
	}
	if err != nil {
		return errors.Join(err, p.Break(ctx))
	}
	return nil
}

// add makes the pair by one message: that of the end Name, in which is that of Peer.
func (p Pair) add(ctx context.Context) error {
	near, err := p.ends()[0].attrs()
	if err != nil {
		return err
	}
	far, err := p.ends()[1].attrs()
	if err != nil {
		return err
	}
	if p.PeerNetns != p.Netns {
		ns, err := os.Open(nsFile(p.PeerNetns))
		if err != nil {
			return err
		}
		defer ns.Close()
		far = append(far, nl.NewRtAttr(unix.IFLA_NET_NS_FD, nl.Uint32Attr(uint32(ns.Fd()))))
	}
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("veth"))
	peer := info.AddRtAttr(nl.IFLA_INFO_DATA, nil).AddRtAttr(nl.VETH_INFO_PEER, nil)
	nl.NewIfInfomsgChild(peer, unix.AF_UNSPEC)
	for _, a := range append(far, nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(p.Peer))) {
		peer.AddChild(a)
	}
	near = append(near, nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(p.Name)), info)
	_, err = netns.Send(ctx, p.Netns, unix.RTM_NEWLINK, netns.Create, nl.NewIfInfomsg(unix.AF_UNSPEC), near...)
	return err
}

func parseMAC(text string) (net.HardwareAddr, error) {
	if text == "" {
		return nil, nil
	}
	return net.ParseMAC(text)
}

// nsFile is a file of the namespace at path, that of this process for the host.
func nsFile(path string) string {
	if path == "" {
		return "/proc/self/ns/net"
	}
	return path
}

// Break deletes both ends, at once.
func (p Pair) Break(ctx context.Context) error { return p.BreakAll(ctx, []fact.Fact{p}) }

// Batch puts all pairs together.
func (Pair) Batch() string { return "veth" }

// MakeAll makes pairs one by one: the kernel makes no two at once.
func (Pair) MakeAll(ctx context.Context, pairs []fact.Fact) error { return fact.MakeEach(ctx, pairs) }

// BreakAll deletes both ends of all pairs, in the time of one (see [netns.DeleteLinks]).
func (Pair) BreakAll(ctx context.Context, pairs []fact.Fact) error {
	links := make([]netns.OwnLink, 0, len(pairs))
	for _, f := range pairs {
		if p, ok := f.(Pair); ok {
			links = append(links, netns.OwnLink{Netns: p.Netns, Name: p.Name, Alias: p.Alias})
		}
	}
	return netns.DeleteLinks(ctx, links...)
}

func (p Pair) Commands(v fact.Verb) []fact.Command {
	switch v {
	case fact.Make:
		cmds := []fact.Command{netns.IP(p.Netns, p.addWords()...)}
		if p.Alias != "" {
			cmds = append(cmds, netns.IP(p.Netns, "link", "set", "dev", p.Name, "alias", p.Alias))
		}
		return cmds
	case fact.Break:
		return []fact.Command{netns.IP(p.Netns, "link", "del", "dev", p.Name)}
	case fact.Mend:
		return p.mendCommands()
	}
	return []fact.Command{
		netns.IP(p.Netns, "-d", "link", "show", "dev", p.Name),
		netns.IP(p.PeerNetns, "-d", "link", "show", "dev", p.Peer),
	}
}

func (p Pair) addWords() []string {
	w := append([]string{"link", "add", "name", p.Name}, p.endWords(p.MAC)...)
	w = append(w, "type", "veth", "peer", "name", p.Peer)
	w = append(w, p.endWords(p.PeerMAC)...)
	if p.PeerNetns == p.Netns {
		return w
	}
	return append(w, "netns", nsWord(p.PeerNetns))
}

func (p Pair) endWords(mac string) (w []string) {
	if mac != "" {
		w = append(w, "address", mac)
	}
	if p.MTU > 0 {
		w = append(w, "mtu", fmt.Sprint(p.MTU))
	}
	return w
}

// nsWord is the namespace at path as ip(8) takes it after the word netns: a
// name in /run/netns, or a path.
func nsWord(path string) string {
	const named = "/run/netns/"
	switch {
	case path == "":
		return "/proc/1/ns/net"
	case strings.HasPrefix(path, named) && !strings.Contains(path[len(named):], "/"):
		return path[len(named):]
	}
	return path
}
