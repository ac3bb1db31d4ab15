package doctor

import (
	"fmt"
	"net/netip"
	"sort"
	"strings"

	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/route"
)

// routes: two ways to the same addresses, and VPNs that take all.
func routes(h host) []Finding {
	var list []Finding
	for _, r := range h.routes {
		switch {
		case r.Dst.Bits() == 0 || strings.HasPrefix(r.Alias, "cnet "):
		case r.Dst.Bits() == 1 && r.Dst.Addr().IsUnspecified():
			list = append(list, Finding{Severity: Note, About: "vpn", Seen: r.Show(),
				Say:    fmt.Sprintf("A VPN takes what leaves the host by %s in two halves: what containers send goes there, too.", r.Link),
				Advice: "Nothing, if that is wanted; else give the VPN its own routes."})
		case r.Dst.Bits() > 1:
			list = append(list, overlaps(h, r)...)
		}
	}
	return list
}

// overlaps compares a route with cnet's networks, or with the pool for them.
func overlaps(h host, r route.Known) []Finding {
	pool := topology.Pool()
	if !h.exist() && r.Dst.Overlaps(pool) {
		f := Finding{Severity: Note, About: "overlap", Seen: r.Show(),
			Say:    fmt.Sprintf("The route %s (%s) lies in %s, from which cnet takes subnets. It takes others.", r.Dst, r.Link, pool),
			Advice: "Nothing."}
		if r.Dst.Bits() <= pool.Bits() {
			f.Severity, f.Advice = Warning, "Name a subnet: cnet network create lab --subnet 192.168.77.0/24"
			f.Say = fmt.Sprintf("The route %s (%s) covers all of %s, from which cnet takes subnets: it finds none.", r.Dst, r.Link, pool)
		}
		return one(f)
	}
	var list []Finding
	for _, n := range h.own.Topology.Networks {
		for _, p := range []netip.Prefix{n.Subnet, n.Subnet6} {
			if p.IsValid() && p.Overlaps(r.Dst) {
				list = append(list, collision(n, p, r))
			}
		}
	}
	return list
}

// collision: of two routes the longer prefix wins (RFC 1812, section 5.2.4.3).
func collision(n topology.Network, p netip.Prefix, r route.Known) Finding {
	f := Finding{Severity: Warning, About: "overlap", Seen: r.Show(),
		Say:    fmt.Sprintf("Network %s (%s) hides a part of the route %s (%s): the host does not reach those addresses there any more.", n.Name, p, r.Dst, r.Link),
		Advice: "Give the network another subnet, or the other side other addresses."}
	if r.Dst.Bits() >= p.Bits() {
		f.Severity = Error
		f.Say = fmt.Sprintf("The route %s (%s) takes packets away from network %s (%s).", r.Dst, r.Link, n.Name, p)
		if r.Table == 254 && r.Link != "" {
			f.Mend, f.Advice = fmt.Sprintf("ip route del %s dev %s", r.Dst, r.Link), ""
			if r.Dst.Addr().Is6() {
				f.Mend = "ip -6" + strings.TrimPrefix(f.Mend, "ip")
			}
		}
	}
	return f
}

// mtu: packets that are larger than the way out carries are dropped where the
// sender is not told, or not heard.
func mtu(h host) []Finding {
	ways := h.uplinks(false)
	if len(ways) == 0 {
		return nil
	}
	var list []Finding
	for _, n := range h.own.Topology.Networks {
		if n.Internal || ways[0].MTU == 0 || n.Leaving() <= ways[0].MTU {
			continue
		}
		list = append(list, Finding{Severity: Warning, About: "mtu", Seen: "ip link show " + ways[0].Link,
			Say: fmt.Sprintf("Network %s lets out packets of %d bytes, and its way out %s carries only %d: large packets may be lost, so that connections stand still after their start.",
				n.Name, n.Leaving(), ways[0].Link, ways[0].MTU),
			Advice: fmt.Sprintf("Make the network anew with --mtu %d.", ways[0].MTU)})
	}
	return list
}

func sortedKeys(m map[string]bool) []string {
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	sort.Strings(list)
	return list
}
