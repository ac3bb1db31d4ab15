package route

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/pkg/netns"
)

// Known is a route of this host, in any table but the local one.
type Known struct {
	Dst   netip.Prefix // of length 0: the default route
	Link  string       // empty for what leads nowhere (blackhole)
	Alias string       // the link's
	MTU   int          // the link's, in bytes
	Table int          // 254 is main, see ip-route(8)
}

// Show is the command that shows it.
func (k Known) Show() string {
	family := ""
	if k.Dst.Addr().Is6() {
		family = "-6 "
	}
	dst := k.Dst.String()
	if k.Dst.Bits() == 0 {
		dst = "default"
	}
	if k.Table != unix.RT_TABLE_MAIN {
		return fmt.Sprintf("ip %sroute show table %d exact %s", family, k.Table, dst)
	}
	return fmt.Sprintf("ip %sroute show exact %s", family, dst)
}

// All returns the host's unicast routes, link-local ones left out.
func All(ctx context.Context) ([]Known, error) {
	var list []Known
	err := netns.With(ctx, "", func(h *netlink.Handle) error {
		links, err := netns.Retry(h.LinkList)
		if err != nil {
			return err
		}
		byIndex := make(map[int]*netlink.LinkAttrs, len(links))
		for _, l := range links {
			byIndex[l.Attrs().Index] = l.Attrs()
		}
		routes, err := netns.Retry(func() ([]netlink.Route, error) {
			return h.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
		})
		for _, r := range routes {
			if k, ok := known(r, byIndex[r.LinkIndex]); ok {
				list = append(list, k)
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the host's routes: %w", err)
	}
	return list, nil
}

func known(r netlink.Route, link *netlink.LinkAttrs) (k Known, ok bool) {
	if r.Dst != nil {
		k.Dst, _ = prefixOf(r.Dst.IP, r.Dst.Mask)
	}
	if !k.Dst.IsValid() && r.Family == netlink.FAMILY_V6 {
		k.Dst = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	} else if !k.Dst.IsValid() {
		k.Dst = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	k.Table = r.Table
	if link != nil {
		k.Link, k.Alias, k.MTU = link.Name, link.Alias, link.MTU
	}
	a := k.Dst.Addr()
	return k, r.Table != unix.RT_TABLE_LOCAL && !a.IsLinkLocalUnicast() && !a.IsMulticast()
}
