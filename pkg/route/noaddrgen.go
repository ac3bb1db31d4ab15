package route

import (
	"context"
	"errors"
	"syscall"

	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// NoAddrGen is a link that gives itself no IPv6 address (fe80::...) when it
// comes up, and so is silent until it is used. It has to be said while the link
// is down. By hand:
//
//	ip link set dev web-eth0 addrgenmode none
//
// On a kernel without IPv6 there is nothing to say, and the fact holds by
// itself. Source: ip-link(8), RFC 4862 section 5.3.
type NoAddrGen struct {
	Netns string     `json:"netns,omitempty"` // path; "" is the host
	Link  string     `json:"link"`
	Of    []fact.Key `json:"of,omitempty"` // what it goes with
}

// The modes of addr_gen_mode that matter here, see networking/ip-sysctl.
const (
	genEUI64 = 0 // an address from the MAC: the default
	genNone  = 1
)

func (n NoAddrGen) Key() fact.Key {
	return fact.Key{Kind: "route.noaddrgen", Netns: n.Netns, Name: n.Link}
}

func (n NoAddrGen) Within() []fact.Key { return n.Of }

func (n NoAddrGen) Say() string {
	return netns.SayLink(n.Netns, n.Link) + " gives itself no IPv6 address."
}

func (n NoAddrGen) Why() string {
	return "The link would get an address that nobody asked for, and announce it."
}

func (n NoAddrGen) Probe(ctx context.Context) (fact.Truth, error) {
	_, attrs, err := netns.LinkAttrs(ctx, n.Netns, n.Link)
	if netns.Gone(err) {
		return fact.False(), nil
	}
	if err != nil {
		return fact.Truth{}, err
	}
	if mode, ok := addrGenMode(attrs); ok && mode != genNone {
		return fact.Mendable("addrgenmode of %s is not none", netns.SayLink(n.Netns, n.Link)), nil
	}
	return fact.True(), nil
}

func (n NoAddrGen) Make(ctx context.Context) error { return n.set(ctx, genNone) }

// Mend sets the mode. An address that the link has by now stays.
func (n NoAddrGen) Mend(ctx context.Context) error { return n.Make(ctx) }

func (n NoAddrGen) Break(ctx context.Context) error {
	if err := n.set(ctx, genEUI64); err != nil && !netns.Gone(err) {
		return err
	}
	return nil
}

func (n NoAddrGen) set(ctx context.Context, mode uint8) error {
	spec := nl.NewRtAttr(unix.IFLA_AF_SPEC, nil)
	spec.AddRtAttr(unix.AF_INET6, nil).AddRtAttr(unix.IFLA_INET6_ADDR_GEN_MODE, nl.Uint8Attr(mode))
	err := netns.SetLink(ctx, n.Netns, n.Link, 0, 0, spec)
	if errors.Is(err, unix.EAFNOSUPPORT) {
		return nil // no IPv6 on this link, or at all
	}
	return err
}

func (n NoAddrGen) Commands(v fact.Verb) []fact.Command {
	mode := "none"
	switch v {
	case fact.Show:
		return []fact.Command{netns.IP(n.Netns, "-d", "link", "show", "dev", n.Link)}
	case fact.Break:
		mode = "eui64"
	}
	return []fact.Command{netns.IP(n.Netns, "link", "set", "dev", n.Link, "addrgenmode", mode)}
}

// addrGenMode finds the mode in the attributes of a link: families are nested
// in AF_SPEC, modes in the family.
func addrGenMode(attrs []syscall.NetlinkRouteAttr) (mode uint8, ok bool) {
	value := nl.Uint8Attr(0)
	for _, want := range []uint16{unix.IFLA_AF_SPEC, unix.AF_INET6, unix.IFLA_INET6_ADDR_GEN_MODE} {
		ok = false
		for _, a := range attrs {
			if a.Attr.Type&^unix.NLA_F_NESTED == want {
				value, ok = a.Value, true
			}
		}
		if !ok || len(value) == 0 {
			return 0, false
		}
		attrs, _ = nl.ParseRouteAttr(value)
	}
	return value[0], true
}
