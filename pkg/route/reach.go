package route

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/pkg/netns"
)

// Own returns the addresses by which others can call this host: those of global
// scope, those of the links of default routes first. By hand:
//
//	ip address show scope global
func Own(ctx context.Context) ([]netip.Addr, error) {
	var first, rest []netip.Addr
	err := netns.With(ctx, "", func(h *netlink.Handle) error {
		uplink := make(map[int]bool)
		for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
			links, err := defaultLinks(h, family)
			if err != nil {
				return err
			}
			for _, l := range links {
				uplink[l.Attrs().Index] = true
			}
		}
		addrs, err := netns.Retry(func() ([]netlink.Addr, error) { return h.AddrList(nil, netlink.FAMILY_ALL) })
		for _, a := range addrs {
			ip, ok := netip.AddrFromSlice(a.IP)
			switch {
			case !ok || a.Scope != unix.RT_SCOPE_UNIVERSE || a.Flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DEPRECATED) != 0:
			case uplink[a.LinkIndex]:
				first = append(first, ip.Unmap())
			default:
				rest = append(rest, ip.Unmap())
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the host's addresses: %w", err)
	}
	return append(first, rest...), nil
}

// Gateways are the next hops of this host's default routes that have an address
// of global scope. By hand:
//
//	ip route show default
func Gateways(ctx context.Context) ([]netip.Addr, error) {
	var via []netip.Addr
	err := netns.With(ctx, "", func(h *netlink.Handle) error {
		for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
			routes, err := netns.Retry(func() ([]netlink.Route, error) {
				return h.RouteListFiltered(family, &netlink.Route{}, netlink.RT_FILTER_DST)
			})
			if err != nil {
				return err
			}
			for _, r := range routes {
				if ip, ok := netip.AddrFromSlice(r.Gw); ok && !ip.Unmap().IsLinkLocalUnicast() {
					via = append(via, ip.Unmap())
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find the default routes: %w", err)
	}
	return via, nil
}
