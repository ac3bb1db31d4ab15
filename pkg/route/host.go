package route

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/pkg/netns"
)

// Prefix is a prefix that this host has an address in or a route to.
type Prefix struct {
	Prefix netip.Prefix
	By     string // what holds it: "the route 10.0.0.0/8 dev tun0"
}

// Taken returns the prefixes of this host: of its addresses and of the routes
// in all its tables but the local one. A subnet that meets one of them would
// take packets away from where they go now.
func Taken(ctx context.Context) ([]Prefix, error) {
	var taken []Prefix
	err := netns.With(ctx, "", func(h *netlink.Handle) error {
		names, err := linkNames(h)
		if err != nil {
			return err
		}
		addrs, err := netns.Retry(func() ([]netlink.Addr, error) { return h.AddrList(nil, netlink.FAMILY_ALL) })
		if err != nil {
			return err
		}
		for _, a := range addrs {
			if p, ok := prefixOf(a.IPNet.IP, a.IPNet.Mask); ok {
				taken = append(taken, Prefix{p.Masked(), fmt.Sprintf("the address %s of %s", p, names[a.LinkIndex])})
			}
		}
		routes, err := netns.Retry(func() ([]netlink.Route, error) {
			return h.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
		})
		if err != nil {
			return err
		}
		for _, r := range routes {
			if r.Dst == nil || r.Table == unix.RT_TABLE_LOCAL {
				continue
			}
			if p, ok := prefixOf(r.Dst.IP, r.Dst.Mask); ok && p.Bits() > 0 {
				taken = append(taken, Prefix{p.Masked(), fmt.Sprintf("the route %s dev %s", p, names[r.LinkIndex])})
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the host's addresses and routes: %w", err)
	}
	return taken, nil
}

// DefaultMTU is the MTU, in bytes, of the link that the default route leaves
// by; 1500 on a host without one.
func DefaultMTU(ctx context.Context) (int, error) {
	mtu := 1500
	err := netns.With(ctx, "", func(h *netlink.Handle) error {
		links, err := defaultLinks(h, netlink.FAMILY_V4)
		if err == nil && len(links) > 0 {
			mtu = links[0].Attrs().MTU
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("find the default route: %w", err)
	}
	return mtu, nil
}

// RAUplinks are the links of this host's IPv6 default routes that accept router
// advertisements only while the host does not forward (accept_ra is 1).
func RAUplinks(ctx context.Context) ([]string, error) {
	var names []string
	err := netns.With(ctx, "", func(h *netlink.Handle) error {
		links, err := defaultLinks(h, netlink.FAMILY_V6)
		for _, l := range links {
			name := l.Attrs().Name
			v, readErr := os.ReadFile("/proc/sys/net/ipv6/conf/" + name + "/accept_ra")
			if readErr == nil && strings.TrimSpace(string(v)) == "1" {
				names = append(names, name)
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("find the IPv6 default routes: %w", err)
	}
	return names, nil
}

// defaultLinks are the links of the default routes of a family, best first.
func defaultLinks(h *netlink.Handle, family int) ([]netlink.Link, error) {
	routes, err := netns.Retry(func() ([]netlink.Route, error) {
		return h.RouteListFiltered(family, &netlink.Route{}, netlink.RT_FILTER_DST)
	})
	if err != nil {
		return nil, err
	}
	var links []netlink.Link
	for _, r := range routes {
		l, err := h.LinkByIndex(r.LinkIndex)
		if err != nil {
			continue // a multipath or blackhole route, or a link that is gone
		}
		links = append(links, l)
	}
	return links, nil
}

func linkNames(h *netlink.Handle) (map[int]string, error) {
	links, err := netns.Retry(h.LinkList)
	if err != nil {
		return nil, err
	}
	names := make(map[int]string, len(links))
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
	}
	return names, nil
}

func prefixOf(ip, mask []byte) (netip.Prefix, bool) {
	a, ok := netip.AddrFromSlice(ip)
	ones := 0
	for _, b := range mask {
		for ; b != 0; b <<= 1 {
			ones++
		}
	}
	return netip.PrefixFrom(a.Unmap(), ones), ok
}
