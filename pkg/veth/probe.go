package veth

import (
	"context"
	"os"
	"strings"

	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/vishvananda/netlink"
)

// Probe looks at both ends: that they are a pair, and their MAC addresses, MTU
// and alias. The ends know each other by number, each in its own namespace. A
// pair of another alias is another's; one whose peer was renamed or moved away
// has lost what was on it.
func (p Pair) Probe(ctx context.Context) (fact.Truth, error) {
	near, err := netns.FindLink(ctx, p.Netns, p.Name)
	if err != nil || near == nil {
		return fact.False(), err
	}
	far, err := netns.FindLink(ctx, p.PeerNetns, p.Peer)
	if err != nil {
		return fact.False(), err
	}
	switch {
	case near.Type() != "veth":
		return fact.Other("%s is a %s link, not a veth", p.Name, near.Type()), nil
	case far == nil:
		return fact.Other("there is no %s", netns.SayLink(p.PeerNetns, p.Peer)), nil
	}
	joined, err := p.joined(ctx, near.Attrs(), far.Attrs())
	if err != nil {
		return fact.Truth{}, err
	}
	if !joined {
		return fact.Other("%s is not the other end of %s", netns.SayLink(p.PeerNetns, p.Peer), p.Name), nil
	}
	switch alias := near.Attrs().Alias; {
	case p.Alias == "" || alias == p.Alias:
	case alias == "":
		return fact.Mendable("%s has lost its alias %q", p.Name, p.Alias), nil
	default:
		return fact.Other("alias is %q, not %q", alias, p.Alias), nil
	}
	if t := compare(near.Attrs(), p.MAC, p.MTU); t.State != fact.Holds {
		return t, nil
	}
	return compare(far.Attrs(), p.PeerMAC, p.MTU), nil
}

// joined reports whether near and far are one pair: each names the number of the
// other, and near names the number that the other's namespace has in its own.
func (p Pair) joined(ctx context.Context, near, far *netlink.LinkAttrs) (bool, error) {
	if near.ParentIndex != far.Index || far.ParentIndex != near.Index {
		return false, nil
	}
	if p.Netns == p.PeerNetns {
		return near.NetNsID == -1, nil
	}
	ns, err := os.Open(nsFile(p.PeerNetns))
	if err != nil {
		return false, err
	}
	defer ns.Close()
	var id int
	err = netns.With(ctx, p.Netns, func(h *netlink.Handle) error {
		var err error
		id, err = h.GetNetNsIdByFd(int(ns.Fd()))
		return err
	})
	return id == near.NetNsID && id != -1, err
}

func compare(a *netlink.LinkAttrs, mac string, mtu int) fact.Truth {
	switch {
	case mac != "" && a.HardwareAddr.String() != strings.ToLower(mac):
		return fact.Mendable("MAC of %s is %s, not %s; what is sent to it may not arrive", a.Name, a.HardwareAddr, mac)
	case mtu > 0 && a.MTU != mtu:
		return fact.Mendable("MTU of %s is %d, not %d; packets of another size may be lost", a.Name, a.MTU, mtu)
	}
	return fact.True()
}
