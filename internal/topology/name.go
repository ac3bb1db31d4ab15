package topology

import (
	"crypto/sha256"
	"encoding/base32"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/cnetlab/cnet/internal/fail"
)

// nameForm reports whether s is a label: letters, digits and dashes, 63 at most,
// and no dash first.
func nameForm(s string) bool {
	return len(s) <= 63 && made(s, alphanumeric, func(c byte) bool { return alphanumeric(c) || c == '-' })
}

// linkForm reports whether s is a name that cnet gives a link inside a container.
func linkForm(s string) bool {
	return len(s) <= linkMax && made(s, letter, func(c byte) bool { return alphanumeric(c) || c == '-' || c == '_' })
}

// hostLinkForm reports whether the kernel takes s for a link (dev_valid_name in
// net/core/dev.c).
func hostLinkForm(s string) bool {
	is := func(c byte) bool { return c > ' ' && c != 0x7f && c != '/' && c != ':' }
	return len(s) <= linkMax && made(s, is, is)
}

// made reports whether s is a byte of the one class and then any of the other.
func made(s string, first, rest func(byte) bool) bool {
	for i := 1; i < len(s); i++ {
		if !rest(s[i]) {
			return false
		}
	}
	return s != "" && first(s[0])
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func alphanumeric(c byte) bool { return letter(c) || '0' <= c && c <= '9' }

// CheckName refuses a name that cannot be a host name label, a folder and a
// namespace at once (RFC 1123, section 2.1).
func CheckName(what, name string) error {
	if strings.EqualFold(name, "localhost") {
		return fail.New(fail.Usage, what+" "+name, "that name means the loopback everywhere").Try("another name")
	}
	if nameForm(name) && !strings.HasSuffix(name, "-") {
		return nil
	}
	why := "a name is made of letters, digits and dashes, and begins and ends with a letter or digit"
	switch {
	case name == "":
		why = "a name cannot be empty"
	case len(name) > 63:
		why = "a name has at most 63 characters; this one has " + strconv.Itoa(len(name))
	}
	return fail.New(fail.Usage, what+" "+quote(name), "%s", why).Try("a name like web-1")
}

// checkAlias refuses an alias that cannot be a name, or is a service's in the
// network: case does not count (RFC 4343).
func (t *Topology) checkAlias(alias, network string) error {
	for _, s := range t.Services {
		if s.Network == network && strings.EqualFold(s.Name, alias) {
			return fail.New(fail.Conflict, "alias "+alias, "service %s of network %s has that name", s.Name, network).
				Try("another alias, like %s-1", alias)
		}
	}
	return CheckName("alias", alias)
}

// aliased is the container that has a name as an alias in a network; nil if none has.
func (t *Topology) aliased(name, network string) *Container {
	for i := range t.Containers {
		a := t.Containers[i].Attachment(network)
		if a != nil && slices.ContainsFunc(a.Aliases, func(alias string) bool { return strings.EqualFold(alias, name) }) {
			return &t.Containers[i]
		}
	}
	return nil
}

// checkLink refuses a name that a link inside a container cannot have.
func checkLink(name string) error {
	switch {
	case !linkForm(name):
		return fail.New(fail.Usage, "interface "+quote(name),
			"a link's name has 1 to 15 letters, digits, dashes and underscores, and begins with a letter").Try("--interface eth1")
	case name == "lo" || name == "all" || name == "default":
		return fail.New(fail.Usage, "interface "+quote(name), "the kernel uses that name itself").Try("--interface eth1")
	}
	return nil
}

// quote shows a user's word in a message: short, on one line, whatever is in it.
func quote(s string) string {
	if len(s) > 40 {
		return strconv.Quote(s[:40]) + "…"
	}
	if nameForm(s) {
		return s
	}
	return strconv.Quote(s)
}

// linkMax is the longest name of a link: IFNAMSIZ less the final zero.
const linkMax = 15

// AllLinks matches, in a rule, every link that a network of cnet has on the host.
const AllLinks = "cnet+"

// BridgeName is the link name of a network's bridge.
func BridgeName(network string) string {
	if name := "cnet-" + network; len(name) <= linkMax {
		return name
	}
	return "cnet_" + hash(10, network)
}

// CableName is the name of the host's end of a container's cable in a bridge
// network: web-eth0, or a hash where that does not fit or could mean two things.
func CableName(container, link string) string {
	name := container + "-" + link
	reserved := strings.HasPrefix(name, "cnet")
	if len(name) <= linkMax && !strings.Contains(link, "-") && !reserved {
		return name
	}
	return "v" + hash(14, container, link)
}

// ptpPrefix begins the names of all host ends of a ptp network.
func ptpPrefix(network string) string { return "cnetp" + hash(4, network) }

// ptpName is the name of the host's end of a container's cable in a ptp network.
func ptpName(network, container string) string {
	return ptpPrefix(network) + hash(6, container)
}

// LinkPattern matches, in a rule, the host's links of a network.
func (n Network) LinkPattern() string {
	if n.Driver == PTP {
		return ptpPrefix(n.Name) + "+"
	}
	return BridgeName(n.Name)
}

// HostLink is the name of the host's end of a container's cable.
func (n Network) HostLink(container string, a Attachment) string {
	if n.Driver == PTP {
		return ptpName(n.Name, container)
	}
	return CableName(container, a.Interface)
}

// MACOf is the link address that belongs to an IPv4 address: locally
// administered, and the same whenever the address is used again, so that no
// neighbour's cache goes stale.
func MACOf(ip netip.Addr) string {
	b := ip.As4()
	return net.HardwareAddr{0x0a, 0x77, b[0], b[1], b[2], b[3]}.String()
}

// hostMAC is the link address of the host's end of the cable to ip.
func hostMAC(ip netip.Addr) string {
	b := ip.As4()
	return net.HardwareAddr{0x0e, 0x77, b[0], b[1], b[2], b[3]}.String()
}

// hash is n letters and digits (n at most 15) made from parts.
func hash(n int, parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "/")))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:n])
}

// NetnsPath is where a container's namespace is pinned.
func NetnsPath(container string) string { return "/run/netns/" + container }
