package topology

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"sort"
	"strings"

	"github.com/cnetlab/cnet/internal/fail"
)

// DefaultNetwork is the network that connect makes when none is named.
const DefaultNetwork = "default"

// NetworkSpec is what a user says of a network to be made; empty fields are
// chosen. Addresses and subnets are as typed.
type NetworkSpec struct {
	Name         string
	Driver       string
	Subnet       string
	Gateway      string
	Subnet6      string
	Gateway6     string
	IPv6         bool
	Internal     bool
	ICC          bool
	MTU          int
	Firewall     string
	AllowOverlap bool
	NoDNS        bool
	DNSTTL       int // seconds
}

// AddNetwork adds a network.
func (t *Topology) AddNetwork(s NetworkSpec, h Host) error {
	if err := CheckName("network", s.Name); err != nil {
		return err
	}
	if _, err := t.Network(s.Name); err == nil {
		return fail.New(fail.Conflict, "network "+s.Name, "there is one of that name").Try("cnet network inspect %s", s.Name)
	}
	n, err := s.network()
	if err != nil {
		return err
	}
	if err := t.complete(&n, h); err != nil {
		return err
	}
	t.insert(n)
	return nil
}

// insert adds a network at its place in the order of names.
func (t *Topology) insert(n Network) {
	at := sort.Search(len(t.Networks), func(i int) bool { return t.Networks[i].Name >= n.Name })
	t.Networks = slices.Insert(t.Networks, at, n)
}

// network reads the words of the spec.
func (s NetworkSpec) network() (Network, error) {
	n := Network{
		Name: s.Name, Driver: s.Driver, Internal: s.Internal, MTU: s.MTU, Firewall: s.Firewall,
		AllowOverlap: s.AllowOverlap, IPv6: s.IPv6 || s.Subnet6 != "", DNSTTL: s.DNSTTL,
	}
	if !s.ICC {
		n.ICC = &s.ICC
	}
	if s.NoDNS {
		n.DNS = new(bool)
	}
	var err error
	if s.Subnet != "" {
		if n.Subnet, err = parsePrefix(s.Subnet); err != nil {
			return n, err
		}
		if n.Subnet.Addr().Is6() {
			return n, fail.New(fail.Usage, "subnet "+s.Subnet, "a network has an IPv4 subnet; IPv6 comes beside it").
				Try("--subnet6 %s", s.Subnet)
		}
	}
	if s.Subnet6 != "" {
		if n.Subnet6, err = parsePrefix(s.Subnet6); err != nil {
			return n, err
		}
		if n.Subnet6.Addr().Is4() {
			return n, fail.New(fail.Usage, "subnet "+s.Subnet6, "it is not an IPv6 subnet").Try("--subnet %s", s.Subnet6)
		}
	}
	if s.Gateway != "" {
		if n.Gateway, err = parseAddr(s.Gateway, false); err != nil {
			return n, err
		}
	}
	if s.Gateway6 != "" {
		n.Gateway6, err = parseAddr(s.Gateway6, true)
	}
	return n, err
}

// maxTTL is the longest that an answer about a name may be remembered, in
// seconds (RFC 2181, section 8).
const maxTTL = 1<<31 - 1

func (n Network) checkTTL() error {
	if n.DNSTTL < 0 || n.DNSTTL > maxTTL {
		return fail.New(fail.Usage, "network "+n.Name, "a dns_ttl of %d is out of range: it runs from 0 to %d", n.DNSTTL, maxTTL)
	}
	return nil
}

// complete checks a network and fills in what was left to cnet.
func (t *Topology) complete(n *Network, h Host) error {
	what := "network " + n.Name
	n.IPv6 = n.IPv6 || n.Subnet6.IsValid()
	switch n.Driver {
	case "":
		n.Driver = Bridge
	case Bridge, PTP:
	default:
		return fail.New(fail.Usage, what, "there is no driver %s", quote(n.Driver)).Try("--driver bridge, or --driver ptp")
	}
	if !n.Talk() && n.Driver == Bridge && n.Isolation == "" {
		n.Isolation = ByPort
		if h.BridgeFilter() {
			n.Isolation = ByFilter
		}
	}
	var err error
	if err := CheckFirewall(n.Firewall); err != nil {
		return err
	}
	if err := n.checkLinks(); err != nil {
		return err
	}
	if n.Firewall == "" || n.Firewall == "auto" {
		if n.Firewall, err = h.Firewall(t.firewall()); err != nil {
			return err
		}
	}
	if err := n.sizes(h); err != nil {
		return err
	}
	if n.IPv6 {
		if err := h.IPv6(); err != nil {
			return err
		}
	}
	if err := errors.Join(n.checkMTU(), n.checkTTL()); err != nil {
		return err
	}
	if err := t.addresses(n, h); err != nil {
		return err
	}
	if n.IPv6 && n.RAUplinks == nil { // of an internal one, for its services
		n.RAUplinks, err = t.raUplinks(h)
	}
	return err
}

// firewall is the backend of all networks; empty where they have several, or
// there are none.
func (t *Topology) firewall() (name string) {
	for _, n := range t.Networks {
		if name != "" && name != n.Firewall {
			return ""
		}
		name = n.Firewall
	}
	return name
}

// raUplinks are the links whose router advertisements forwarding would stop:
// those of the host, and those that other networks keep listening already.
func (t *Topology) raUplinks(h Host) ([]string, error) {
	known, err := h.RAUplinks()
	links := slices.Clone(known)
	for _, n := range t.Networks {
		for _, l := range n.RAUplinks {
			if !slices.Contains(links, l) {
				links = append(links, l)
			}
		}
	}
	return links, err
}

// CheckFirewall refuses what is not the name of a firewall backend.
func CheckFirewall(name string) error {
	switch name {
	case "", "auto", "iptables", "nftables":
		return nil
	}
	return fail.New(fail.Usage, "firewall "+quote(name), "there is no such backend").Try("--firewall iptables, nftables or auto")
}

// checkLinks refuses an isolation, or links of the host, that cnet would not choose.
func (n Network) checkLinks() error {
	what := "network " + n.Name
	if n.Isolation != "" && n.Isolation != ByFilter && n.Isolation != ByPort {
		return fail.New(fail.Usage, what, "there is no isolation %s", quote(n.Isolation)).Try("leave isolation to cnet")
	}
	for _, l := range n.RAUplinks {
		if !hostLinkForm(l) || strings.Trim(l, ".") == "" || l == "all" || l == "default" {
			return fail.New(fail.Usage, what, "%s is no link", quote(l)).Try("leave ra_uplinks to cnet")
		}
	}
	return nil
}

// JumboMTU is the largest packet of IPv4, and of a veth pair, in bytes.
const JumboMTU = 65535

// sizes settles how large packets may be: within the network, and on their way
// out. A sender that knows only the link's size would lose the first packet to
// each peer beyond a smaller link (docs/jumbo.md).
func (n *Network) sizes(h Host) error {
	uplink, err := h.MTU()
	if err != nil {
		return err
	}
	if n.MTU == 0 {
		n.MTU = uplink
	}
	if n.RouteMTU == 0 && n.MTU > uplink && !n.Internal {
		n.RouteMTU = max(uplink, minMTU(n.IPv6))
	}
	return nil
}

func (n Network) checkMTU() error {
	if min := minMTU(n.IPv6); n.MTU < min || n.MTU > JumboMTU {
		return fail.New(fail.Usage, "network "+n.Name, "an MTU of %d is out of range: it runs from %d to %d", n.MTU, min, JumboMTU)
	} else if n.RouteMTU != 0 && (n.RouteMTU < min || n.RouteMTU > n.MTU) {
		return fail.New(fail.Usage, "network "+n.Name, "a route_mtu of %d is out of range: it runs from %d to the mtu, %d", n.RouteMTU, min, n.MTU)
	}
	return nil
}

// minMTU is the least a link must carry, in bytes (RFC 791, RFC 8200).
func minMTU(ipv6 bool) int {
	if ipv6 {
		return 1280
	}
	return 68
}

// addresses settles the network's subnets and gateways.
func (t *Topology) addresses(n *Network, h Host) error {
	taken, err := h.Taken()
	if err != nil {
		return err
	}
	taken = append(t.own(), taken...)
	if n.Subnet, err = t.settleSubnet(n, n.Subnet, taken, freeSubnet); err != nil {
		return err
	}
	if n.Gateway, err = gateway(n, n.Subnet, n.Gateway); err != nil {
		return err
	}
	if !n.IPv6 {
		return nil
	}
	if n.Subnet6, err = t.settleSubnet(n, n.Subnet6, taken, freeSubnet6); err != nil {
		return err
	}
	n.Gateway6, err = gateway(n, n.Subnet6, n.Gateway6)
	return err
}

// settleSubnet checks the subnet that was asked for, or chooses one.
func (t *Topology) settleSubnet(n *Network, p netip.Prefix, taken []Taken, choose func([]Taken) (netip.Prefix, error)) (netip.Prefix, error) {
	if !p.IsValid() {
		return choose(taken)
	}
	if err := checkSubnet(p); err != nil {
		return p, err
	}
	if hit, ok := meets(p, t.vips()); ok { // which is on no link
		return p, fail.New(fail.Conflict, "subnet "+p.String(), "it overlaps %s", hit.By).Try("choose another --subnet")
	}
	if hit, ok := meets(p, taken); ok && !n.AllowOverlap {
		return p, fail.New(fail.Conflict, "subnet "+p.String(), "it overlaps %s", hit.By).
			Try("choose another --subnet, or say --allow-overlap")
	}
	return p, nil
}

// gateway checks the gateway that was asked for, or takes the first address.
func gateway(n *Network, p netip.Prefix, g netip.Addr) (netip.Addr, error) {
	if !g.IsValid() {
		return p.Addr().Next(), nil
	}
	return g, checkIP(n, p, g, netip.Addr{}, nil)
}

// ofNetwork begins the words for what a network of cnet takes.
const ofNetwork = "network "

// subnets are the prefixes of the topology's own networks.
func (t *Topology) subnets() []Taken {
	taken := make([]Taken, 0, 2*len(t.Networks))
	for _, n := range t.Networks {
		for _, p := range n.Prefixes() {
			taken = append(taken, Taken{p, ofNetwork + n.Name + " (" + p.String() + ")"})
		}
	}
	return taken
}

// own are the prefixes of networks, and the addresses of services.
func (t *Topology) own() []Taken {
	return append(t.subnets(), t.vips()...)
}

// vips are the addresses of services.
func (t *Topology) vips() (taken []Taken) {
	for _, s := range t.Services {
		for _, ip := range s.vips() {
			taken = append(taken, Taken{single(ip), "service " + s.Name + " (" + ip.String() + ")"})
		}
	}
	return taken
}

// RemoveNetwork takes a network out. Containers that are connected keep it.
func (t *Topology) RemoveNetwork(name string) error {
	if _, err := t.Network(name); err != nil {
		return err
	}
	for i := range t.Containers {
		if c := &t.Containers[i]; c.Attachment(name) != nil {
			return fail.New(fail.Conflict, "network "+name, "container %s is connected to it", c.Name).
				Try("cnet disconnect %s %s", c.Name, name)
		}
	}
	for _, s := range t.Services {
		if s.Network == name {
			return fail.New(fail.Conflict, "network "+name, "service %s is on it", s.Name).Try("cnet service delete %s", s.Name)
		}
	}
	for i := range t.Networks {
		if t.Networks[i].Name == name {
			t.Networks = append(t.Networks[:i], t.Networks[i+1:]...)
			break
		}
	}
	return nil
}

// checkMAC refuses what is no unicast Ethernet address.
func checkMAC(s string) (string, error) {
	mac, err := net.ParseMAC(s)
	if err != nil || len(mac) != 6 {
		return "", fail.New(fail.Usage, "MAC "+quote(s), "it is not of the form 0a:77:00:00:00:02")
	}
	if mac[0]&1 != 0 {
		return "", fail.New(fail.Usage, "MAC "+quote(s), "it is a multicast address: the lowest bit of the first byte is set")
	}
	if mac.String() == "00:00:00:00:00:00" {
		return "", fail.New(fail.Usage, "MAC "+quote(s), "the kernel takes all zeros for no address")
	}
	return mac.String(), nil
}
