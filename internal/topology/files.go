package topology

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/cnetlab/cnet/pkg/netns"
)

// hosts is the text of a container's /etc/hosts: itself by name and alias
// (hosts(5)). Members of a pod are all at its one address.
func (c *compiler) hosts(k Container) string {
	var b strings.Builder
	b.WriteString(ownedBy(k) + "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
	for _, a := range c.topo.Stack(k).Networks {
		names := strings.Join(append([]string{k.Name}, a.Aliases...), " ")
		fmt.Fprintf(&b, "%s\t%s\n", a.IP, names)
		if a.IP6.IsValid() {
			fmt.Fprintf(&b, "%s\t%s\n", a.IP6, names)
		}
	}
	return b.String()
}

// resolvConf is the text of a container's /etc/resolv.conf (resolv.conf(5)), or
// empty where there is no name server that the container could reach. A name
// without a dot is looked for in cnet's domain first, and one with a dot as it
// is, so that web and web.lab take one question each.
func (c *compiler) resolvConf(k Container) string {
	servers, search := k.Nameservers, k.Search
	if gw := c.topo.nameserver(k); gw.IsValid() {
		servers, search = []string{gw.String()}, append([]string{Domain}, k.Search...)
	}
	if len(servers) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(ownedBy(k))
	for _, s := range servers {
		fmt.Fprintf(&b, "nameserver %s\n", s)
	}
	if len(search) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(search, " "))
	}
	return b.String()
}

// Domain is the domain of the names that gateways answer for.
const Domain = "cnet"

// nameserver is the gateway that a container asks for names: that of the network
// by which its default route leads, or of the first that answers; or none.
func (t *Topology) nameserver(k Container) (gw netip.Addr) {
	stack := t.Stack(k)
	main := stack.Main()
	for _, a := range stack.Networks {
		n, err := t.Network(a.Network)
		if err == nil && n.Names() && (!gw.IsValid() || a.Network == main.Network) {
			gw = n.Gateway
		}
	}
	return gw
}

// ownedBy is the first line of a file of the container.
func ownedBy(k Container) string { return netns.Mark + "container " + k.Name + "\n" }
