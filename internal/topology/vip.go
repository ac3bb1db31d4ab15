package topology

import (
	"net/netip"

	"github.com/cnetlab/cnet/internal/fail"
)

// The pools of the addresses of services. They are apart from those of networks,
// so that no link ever has them.
var (
	vips4 = netip.MustParsePrefix("10.76.0.0/16")
	vips6 = netip.MustParsePrefix("fd77:77:76::/112")
)

// VIPPool is the prefix from which services get their IPv4 addresses.
func VIPPool() netip.Prefix { return vips4 }

// vips are the addresses of the service.
func (s Service) vips() (list []netip.Addr) {
	for _, ip := range []netip.Addr{s.VIP, s.VIP6} {
		if ip.IsValid() {
			list = append(list, ip)
		}
	}
	return list
}

func (s Service) vip(ipv6 bool) netip.Addr {
	if ipv6 {
		return s.VIP6
	}
	return s.VIP
}

// ParseVIP reads an address for a service, of the family.
func ParseVIP(s string, ipv6 bool) (netip.Addr, error) { return parseAddr(s, ipv6) }

// addressed settles the addresses of a service. t is without it.
func (t *Topology) addressed(s *Service, n *Network, h Host) error {
	if s.Headless {
		return nil
	}
	if s.VIP6.IsValid() && !n.IPv6 {
		return fail.New(fail.Usage, "service "+s.Name, "network %s has no IPv6", n.Name).Try("cnet network create NAME --ipv6")
	}
	taken, err := h.Taken()
	if err != nil {
		return err
	}
	taken = append(t.own(), taken...)
	if s.VIP, err = t.settleVIP(s.VIP, vips4, taken); err != nil || !n.IPv6 {
		return err
	}
	s.VIP6, err = t.settleVIP(s.VIP6, vips6, taken)
	return err
}

// settleVIP checks the address that was asked for, or takes the next of the pool
// after the last that a service has, so that one is not used again at once.
func (t *Topology) settleVIP(ip netip.Addr, pool netip.Prefix, taken []Taken) (netip.Addr, error) {
	if ip.IsValid() {
		if err := checkVIP(ip, pool); err != nil {
			return ip, err
		}
		if hit, ok := meets(single(ip), taken); ok {
			return ip, fail.New(fail.Conflict, "address "+ip.String(), "it lies in %s; that of a service is on no link and in no network", hit.By).
				Try("leave --vip to cnet")
		}
		return ip, nil
	}
	ip = pool.Addr()
	for _, s := range t.Services {
		if v := s.vip(pool.Addr().Is6()); pool.Contains(v) && ip.Less(v) {
			ip = v
		}
	}
	for i := 1; i < 1<<16; i++ {
		if ip = ip.Next(); !pool.Contains(ip) {
			ip = pool.Addr().Next()
		}
		if _, ok := meets(single(ip), taken); !ok {
			return ip, nil
		}
	}
	return ip, fail.New(fail.Conflict, "choose an address", "all of %s are taken", pool).Try("--vip with an address of your own")
}

// checkVIP refuses an address that cannot be a service's, of the family of the pool.
func checkVIP(ip netip.Addr, pool netip.Prefix) error {
	if ip.Is6() != pool.Addr().Is6() || ip.Is4In6() || ip.Zone() != "" {
		return fail.New(fail.Usage, "address "+ip.String(), "it is not of the right family").Try("--vip for IPv4, --vip6 for IPv6")
	}
	for _, no := range unfit {
		if no.Prefix.Contains(ip) {
			return fail.New(fail.Usage, "address "+ip.String(), "it lies in %s, which is for %s", no.Prefix, no.By).Try("leave --vip to cnet")
		}
	}
	return nil
}
