package topology

import (
	"fmt"
	"strings"

	"github.com/cnetlab/cnet/pkg/netns"
)

// hosts is the text of a container's /etc/hosts: itself by name and alias
// (hosts(5)). Members of a pod are all at its one address.
func (c *compiler) hosts(k Container) string {
	var b strings.Builder
	b.WriteString(ownedBy(k) + "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
	for _, a := range c.holder(k).Networks {
		names := strings.Join(append([]string{k.Name}, a.Aliases...), " ")
		fmt.Fprintf(&b, "%s\t%s\n", a.IP, names)
		if a.IP6.IsValid() {
			fmt.Fprintf(&b, "%s\t%s\n", a.IP6, names)
		}
	}
	return b.String()
}

// resolvConf is the text of a container's /etc/resolv.conf (resolv.conf(5)), or
// empty where the host has no name server that a container could reach.
func resolvConf(k Container) string {
	if len(k.Nameservers) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(ownedBy(k))
	for _, s := range k.Nameservers {
		fmt.Fprintf(&b, "nameserver %s\n", s)
	}
	if len(k.Search) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(k.Search, " "))
	}
	return b.String()
}

// ownedBy is the first line of a file of the container.
func ownedBy(k Container) string { return netns.Mark + "container " + k.Name + "\n" }
