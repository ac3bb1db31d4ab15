package route

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Address is a link that has an IP address. By hand:
//
//	ip -n web addr add 10.77.0.2/24 dev eth0
//	ip -n web addr add fd00:77::2/64 dev eth0 nodad
//
// The prefix holds the address with its host bits, and the length of the
// network. An IPv4 address gets no broadcast address, as with ip(8); an IPv6
// address is used at once, without looking for a duplicate (nodad).
// Source: ip-address(8), RFC 4862 section 5.4.
type Address struct {
	Netns  string       `json:"netns,omitempty"` // path; "" is the host
	Link   string       `json:"link"`
	Prefix netip.Prefix `json:"prefix"`
	Of     []fact.Key   `json:"of,omitempty"` // what it goes with
}

func (a Address) Key() fact.Key {
	return fact.Key{Kind: "route.address", Netns: a.Netns, Name: a.Link + " " + a.Prefix.String()}
}

func (a Address) Within() []fact.Key { return a.Of }

func (a Address) Say() string {
	return fmt.Sprintf("%s has address %s.", netns.SayLink(a.Netns, a.Link), a.Prefix)
}

// Creates marks a [fact.Creator].
func (Address) Creates() {}

func (a Address) Why() string {
	return fmt.Sprintf("Nobody would answer for %s.", a.Prefix.Addr())
}

func (a Address) Probe(ctx context.Context) (fact.Truth, error) {
	addrs, err := a.list(ctx)
	if netns.Gone(err) {
		return fact.False(), nil
	}
	if err != nil {
		return fact.Truth{}, err
	}
	truth := fact.False()
	for _, got := range addrs {
		prefix := toPrefix(got.IPNet)
		switch {
		case prefix == a.Prefix && got.Flags&unix.IFA_F_DADFAILED != 0:
			return fact.Other("another host on the link uses %s too", a.Prefix.Addr()), nil
		case prefix == a.Prefix && got.Flags&unix.IFA_F_PERMANENT == 0:
			return fact.Mendable("%s will end by itself", a.Prefix), nil
		case prefix == a.Prefix:
			return fact.True(), nil
		case prefix.Addr() == a.Prefix.Addr():
			truth = fact.Mendable("address is %s, not %s", prefix, a.Prefix)
		}
	}
	return truth, nil
}

// Mend has the link have the address as it should be, and then not otherwise:
// with its last address a link would lose its routes.
func (a Address) Mend(ctx context.Context) error {
	if err := a.send(ctx, unix.RTM_NEWADDR, netns.Replace); err != nil {
		return fmt.Errorf("mend address %s of %s: %w", a.Prefix, netns.SayLink(a.Netns, a.Link), err)
	}
	others, err := a.others(ctx)
	for _, other := range others {
		err = errors.Join(err, other.Break(ctx))
	}
	return err
}

// others are the same address with prefixes of other lengths.
func (a Address) others(ctx context.Context) (others []Address, err error) {
	addrs, err := a.list(ctx)
	for _, got := range addrs {
		if prefix := toPrefix(got.IPNet); prefix != a.Prefix && prefix.Addr() == a.Prefix.Addr() {
			others = append(others, Address{Netns: a.Netns, Link: a.Link, Prefix: prefix})
		}
	}
	return others, err
}

func (a Address) list(ctx context.Context) (addrs []netlink.Addr, err error) {
	err = netns.With(ctx, a.Netns, func(h *netlink.Handle) error {
		link, err := h.LinkByName(a.Link)
		if err != nil {
			return err
		}
		addrs, err = netns.Retry(func() ([]netlink.Addr, error) { return h.AddrList(link, family(a.Prefix.Addr())) })
		return err
	})
	return addrs, err
}

// Make fails with EEXIST if the link has the address.
func (a Address) Make(ctx context.Context) error {
	err := a.send(ctx, unix.RTM_NEWADDR, netns.Create)
	if err != nil {
		return fmt.Errorf("give %s address %s: %w", netns.SayLink(a.Netns, a.Link), a.Prefix, err)
	}
	return nil
}

func (a Address) Break(ctx context.Context) error {
	err := a.send(ctx, unix.RTM_DELADDR, 0)
	if err != nil && !netns.Gone(err) && !errors.Is(err, unix.EADDRNOTAVAIL) {
		return fmt.Errorf("take address %s from %s: %w", a.Prefix, netns.SayLink(a.Netns, a.Link), err)
	}
	return nil
}

func (a Address) send(ctx context.Context, kind, flags int) error {
	index, err := netns.Index(ctx, a.Netns, a.Link)
	if err != nil {
		return err
	}
	ip := a.Prefix.Addr()
	msg := nl.NewIfAddrmsg(family(ip))
	msg.Index, msg.Prefixlen = uint32(index), uint8(a.Prefix.Bits())
	switch {
	case ip.Is6():
		msg.Flags = unix.IFA_F_NODAD
	case ip.IsLoopback():
		msg.Scope = unix.RT_SCOPE_HOST
	}
	_, err = netns.Send(ctx, a.Netns, kind, flags, msg,
		nl.NewRtAttr(unix.IFA_LOCAL, ip.AsSlice()), nl.NewRtAttr(unix.IFA_ADDRESS, ip.AsSlice()))
	return err
}

func (a Address) Commands(v fact.Verb) []fact.Command {
	switch v {
	case fact.Make:
		return []fact.Command{a.command("add")}
	case fact.Mend:
		cmds := []fact.Command{a.command("replace")}
		others, _ := a.others(context.Background()) // what cannot be looked at is not named
		for _, other := range others {
			cmds = append(cmds, other.Commands(fact.Break)...)
		}
		return cmds
	case fact.Break:
		return []fact.Command{netns.IP(a.Netns, "addr", "del", a.Prefix.String(), "dev", a.Link)}
	}
	return []fact.Command{netns.IP(a.Netns, "addr", "show", "dev", a.Link)}
}

func (a Address) command(verb string) fact.Command {
	w := []string{"addr", verb, a.Prefix.String(), "dev", a.Link}
	if a.Prefix.Addr().Is6() {
		w = append(w, "nodad")
	}
	return netns.IP(a.Netns, w...)
}

func family(a netip.Addr) int {
	if a.Is4() {
		return netlink.FAMILY_V4
	}
	return netlink.FAMILY_V6
}

// toPrefix returns the zero prefix for nil.
func toPrefix(n *net.IPNet) netip.Prefix {
	if n == nil {
		return netip.Prefix{}
	}
	addr, _ := netip.AddrFromSlice(n.IP)
	bits, size := n.Mask.Size()
	if size == 32 {
		addr = addr.Unmap()
	}
	return netip.PrefixFrom(addr, bits)
}
