package topology

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"sort"
	"strings"

	"github.com/cnetlab/cnet/internal/fail"
)

// The pools that networks without a subnet of their own are cut from. The IPv6
// one is a unique local prefix (RFC 4193), fixed so that names and addresses
// are functions of the topology.
var (
	pool4 = netip.MustParsePrefix("10.77.0.0/16") // in /24s
	pool6 = netip.MustParsePrefix("fd77:77:77::/48")
)

// freeSubnet returns the first /24 of the pool that meets nothing in taken.
func freeSubnet(taken []Taken) (netip.Prefix, error) {
	p, err := cut(pool4, 24, taken)
	if err != nil {
		return p, err.Try("--subnet 192.168.77.0/24")
	}
	return p, nil
}

// freeSubnet6 returns the first /64 of the IPv6 pool that meets nothing in taken.
func freeSubnet6(taken []Taken) (netip.Prefix, error) {
	p, err := cut(pool6, 64, taken)
	if err != nil {
		return p, err.Try("--subnet6 fd12:3456:789a::/64")
	}
	return p, nil
}

// cut returns the first piece of a pool, with a prefix of so many bits, that
// meets nothing in taken.
func cut(pool netip.Prefix, bits int, taken []Taken) (netip.Prefix, *fail.Error) {
	pieces := 1 << (bits - pool.Bits())
	used := make([]bool, pieces)
	for _, t := range taken {
		from, to := pieces, 0
		if covers(t.Prefix) && t.Prefix.Overlaps(pool) {
			from, to = met(pool, bits, t.Prefix)
		}
		for i := from; i < to; i++ {
			used[i] = true
		}
	}
	for i := range used {
		if !used[i] {
			return piece(pool, bits, i), nil
		}
	}
	return netip.Prefix{}, fail.New(fail.Conflict, "choose a subnet", "all %d subnets of %s are taken: %s", pieces, pool, takers(pool, bits, taken))
}

// met are the pieces of a pool, from the first to the one after the last, that
// a prefix which overlaps the pool meets.
func met(pool netip.Prefix, bits int, p netip.Prefix) (from, to int) {
	if p.Bits() <= pool.Bits() {
		return 0, 1 << (bits - pool.Bits())
	}
	a, offset := p.Masked().Addr().AsSlice(), 0
	for i := pool.Bits(); i < bits; i++ {
		offset = offset<<1 | int(a[i/8]>>(7-i%8)&1)
	}
	if p.Bits() >= bits {
		return offset, offset + 1
	}
	return offset, offset + 1<<(bits-p.Bits())
}

// piece is the i-th piece of a pool.
func piece(pool netip.Prefix, bits, i int) netip.Prefix {
	a := pool.Addr().AsSlice()
	for bit := bits - 1; i > 0; bit, i = bit-1, i>>1 {
		a[bit/8] |= byte(i&1) << (7 - bit%8)
	}
	ip, _ := netip.AddrFromSlice(a)
	return netip.PrefixFrom(ip, bits)
}

// takers says who takes most of a pool, in the words of a message.
func takers(pool netip.Prefix, bits int, taken []Taken) string {
	pieces := make(map[string]int)
	for _, t := range taken {
		if covers(t.Prefix) && t.Prefix.Overlaps(pool) {
			from, to := met(pool, bits, t.Prefix)
			by := t.By
			if strings.HasPrefix(by, ofNetwork) {
				by = "networks of cnet"
			}
			pieces[by] += to - from
		}
	}
	words := make([]string, 0, len(pieces))
	for by := range pieces {
		words = append(words, by)
	}
	sort.Slice(words, func(i, j int) bool {
		a, b := words[i], words[j]
		return pieces[a] > pieces[b] || pieces[a] == pieces[b] && a < b
	})
	const most = 3
	rest := len(words) - most
	for i, by := range words {
		words[i] = fmt.Sprintf("%d by %s", pieces[by], by)
	}
	if rest > 0 {
		words = append(words[:most], fmt.Sprintf("the rest by %d more", rest))
	}
	return strings.Join(words, ", ")
}

// covers reports whether a prefix of the host takes addresses: those of length
// 0 and 1 cover everything (a default route, a VPN's two halves) and do not count.
func covers(p netip.Prefix) bool { return p.Bits() > 1 }

// meets returns the first of taken that p overlaps.
func meets(p netip.Prefix, taken []Taken) (Taken, bool) {
	for _, t := range taken {
		if covers(t.Prefix) && t.Prefix.Overlaps(p) {
			return t, true
		}
	}
	return Taken{}, false
}

// nextIP hands out the next free IPv4 address of a network, going on after the
// last one, so that a freed address is not used again at once.
func nextIP(n *Network, holder map[netip.Addr]string) (netip.Addr, error) {
	first, last := hosts(n.Subnet)
	ip := n.Last
	if !ip.IsValid() || !n.Subnet.Contains(ip) {
		ip = first.Prev()
	}
	size := toUint(last) - toUint(first) + 1
	for i := uint32(0); i < size; i++ {
		ip = ip.Next()
		if !ip.IsValid() || last.Less(ip) {
			ip = first
		}
		if ip != n.Gateway && holder[ip] == "" {
			n.Last = ip
			return ip, nil
		}
	}
	return netip.Addr{}, fail.New(fail.Conflict, "network "+n.Name, "all addresses of %s are taken: the gateway has one, %d containers the others", n.Subnet, size-1).
		Try("cnet network create NAME --subnet with a prefix shorter than /%d", n.Subnet.Bits())
}

// ip6For is the IPv6 address with the same place in its subnet that ip has in
// the IPv4 subnet; where that is taken, the next that is free.
func ip6For(n Network, ip netip.Addr, holder map[netip.Addr]string) (netip.Addr, error) {
	a := n.Subnet6.Masked().Addr().As16()
	low := binary.BigEndian.Uint64(a[8:]) + uint64(toUint(ip)-toUint(n.Subnet.Masked().Addr()))
	binary.BigEndian.PutUint64(a[8:], low)
	for ip6 := netip.AddrFrom16(a); n.Subnet6.Contains(ip6); ip6 = ip6.Next() {
		if ip6 != n.Gateway6 && holder[ip6] == "" {
			return ip6, nil
		}
	}
	return netip.Addr{}, fail.New(fail.Conflict, "network "+n.Name, "no address of %s is free from %s on", n.Subnet6, netip.AddrFrom16(a)).
		Try("--ip6 with an address of your own")
}

// checkIP refuses an address that cannot be a container's in this network.
func checkIP(n *Network, subnet netip.Prefix, ip, gateway netip.Addr, holder map[netip.Addr]string) error {
	bad := func(kind fail.Kind, format string, args ...any) *fail.Error {
		return fail.New(kind, "address "+ip.String(), format, args...)
	}
	switch {
	case !subnet.IsValid():
		return bad(fail.Usage, "network %s has no IPv6 subnet", n.Name).Try("cnet network create NAME --ipv6")
	case !subnet.Contains(ip):
		return bad(fail.Usage, "it is not in %s, the subnet of network %s", subnet, n.Name)
	case ip == gateway:
		return bad(fail.Conflict, "it is the gateway of network %s", n.Name)
	case holder[ip] != "":
		return bad(fail.Conflict, "container %s of network %s has it", holder[ip], n.Name)
	case ip == subnet.Masked().Addr():
		return bad(fail.Usage, "it is the address of the subnet %s itself", subnet)
	}
	if first, last := hosts(subnet); ip.Is4() && (ip.Less(first) || last.Less(ip)) {
		return bad(fail.Usage, "it is the broadcast address of %s", subnet)
	}
	return nil
}

// hosts returns the first and the last address of an IPv4 subnet that a host
// can have: all but the network's own and the broadcast address.
func hosts(p netip.Prefix) (first, last netip.Addr) {
	p = p.Masked()
	if !p.Addr().Is4() {
		return p.Addr().Next(), netip.Addr{}
	}
	base := toUint(p.Addr())
	size := uint32(1) << (32 - p.Bits())
	return fromUint(base + 1), fromUint(base + size - 2)
}

func toUint(ip netip.Addr) uint32 {
	b := ip.As4()
	return binary.BigEndian.Uint32(b[:])
}

func fromUint(n uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}

// checkSubnet refuses a prefix that cannot be a network's subnet.
func checkSubnet(p netip.Prefix) error {
	what := "subnet " + p.String()
	bad := func(format string, args ...any) error {
		return fail.New(fail.Usage, what, format, args...).Try("--subnet 10.77.8.0/24, or leave it to cnet")
	}
	if p.Masked() != p {
		return bad("it has host bits set; the subnet of that address is %s", p.Masked())
	}
	a := p.Addr()
	min, max := 8, 30
	if a.Is6() {
		min, max = 16, 112
	}
	for _, no := range unfit {
		if no.Prefix.Overlaps(p) && no.Prefix.Addr().Is4() == a.Is4() {
			return bad("it lies in %s, which is for %s", no.Prefix, no.By)
		}
	}
	if p.Bits() < min || p.Bits() > max {
		return bad("a subnet of containers has a prefix of %d to %d bits", min, max)
	}
	return nil
}

// unfit are the prefixes that no container can have an address in (RFC 6890).
var unfit = []Taken{
	{netip.MustParsePrefix("0.0.0.0/8"), "this host on this network"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local addresses"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "nobody: it is reserved"},
	{netip.MustParsePrefix("::/8"), "loopback and special use"},
	{netip.MustParsePrefix("fe80::/10"), "link-local addresses"},
	{netip.MustParsePrefix("ff00::/8"), "multicast"},
}

// parsePrefix reads a subnet in CIDR form.
func parsePrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return p, fail.New(fail.Usage, "subnet "+quote(s), "it is not of the form ADDRESS/BITS").Try("--subnet 10.77.8.0/24")
	}
	return p, nil
}

// parseAddr reads an IP address of the family.
func parseAddr(s string, ipv6 bool) (netip.Addr, error) {
	ip, err := netip.ParseAddr(s)
	if err != nil || ip.Zone() != "" || ip.Is4In6() {
		return ip, fail.New(fail.Usage, "address "+quote(s), "it is not an IP address")
	}
	if ip.Is6() != ipv6 {
		family := map[bool]string{false: "IPv4", true: "IPv6"}[ipv6]
		return ip, fail.New(fail.Usage, "address "+quote(s), "it is not an %s address", family)
	}
	return ip, nil
}

// Pool is the prefix that networks without a subnet of their own are cut from.
func Pool() netip.Prefix { return pool4 }
