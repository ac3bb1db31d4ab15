package veth

import (
	"context"
	"fmt"

	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// end is one of the two ends of a pair.
type end struct {
	netns, name string
	mac, alias  string
	mtu         int
}

func (p Pair) ends() []end {
	return []end{
		{p.Netns, p.Name, p.MAC, p.Alias, p.MTU},
		{p.PeerNetns, p.Peer, p.PeerMAC, "", p.MTU},
	}
}

// Mend sets the MAC addresses, the MTU and the alias while the cable stays
// plugged in, with all addresses and routes.
func (p Pair) Mend(ctx context.Context) error {
	for _, e := range p.ends() {
		attrs, err := e.attrs()
		if e.alias != "" {
			attrs = append(attrs, aliasAttr(e.alias))
		}
		if err == nil && len(attrs) > 0 {
			err = netns.SetLink(ctx, e.netns, e.name, 0, 0, attrs...)
		}
		if err != nil {
			return fmt.Errorf("mend veth pair %s: %w", p.Name, err)
		}
	}
	return nil
}

// attrs are its MAC address and MTU.
func (e end) attrs() (attrs []*netns.Attr, err error) {
	if e.mac != "" {
		mac, err := parseMAC(e.mac)
		if err != nil {
			return nil, err
		}
		attrs = append(attrs, nl.NewRtAttr(unix.IFLA_ADDRESS, mac))
	}
	if e.mtu > 0 {
		attrs = append(attrs, nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(e.mtu))))
	}
	return attrs, nil
}

func aliasAttr(alias string) *netns.Attr { return nl.NewRtAttr(unix.IFLA_IFALIAS, []byte(alias)) }

func (p Pair) mendCommands() (cmds []fact.Command) {
	for _, e := range p.ends() {
		w := p.endWords(e.mac)
		if e.alias != "" {
			w = append(w, "alias", e.alias)
		}
		if len(w) > 0 {
			cmds = append(cmds, netns.IP(e.netns, append([]string{"link", "set", "dev", e.name}, w...)...))
		}
	}
	return cmds
}
