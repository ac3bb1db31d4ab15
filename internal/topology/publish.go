package topology

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/cnetlab/cnet/internal/fail"
)

// Published publishes ports of a container's stack on the host.
func (t *Topology) Published(name string, ports []Port, h Host) error {
	c, err := t.Holder(name)
	if err != nil {
		return err
	}
	if err := t.publishable(c, ports); err != nil {
		return err
	}
	if err := t.claim(claimed("container "+c.Name, ports), h); err != nil {
		return err
	}
	c.Publish = append(c.Publish, ports...)
	return nil
}

// publishable refuses ports that no network of the container can lead in.
func (t *Topology) publishable(c *Container, ports []Port) error {
	what := "publish " + c.Name
	if c.Share != "" {
		return fail.New(fail.Usage, what, "it shares the stack of %s, which has the ports", c.Share).Try("cnet publish %s …", c.Share)
	}
	a := c.Main()
	if a == nil {
		return fail.New(fail.Conflict, what, "it is not connected to a network").Try("cnet connect %s", c.Name)
	}
	n, err := t.Network(a.Network)
	if err != nil {
		return err
	}
	for _, p := range ports {
		if err := n.admits("container "+c.Name, p); err != nil {
			return err
		}
	}
	return nil
}

// admits refuses a port of who ("container web") that cannot lead into the network.
func (n *Network) admits(who string, p Port) error {
	switch {
	case n.Internal:
		return fail.New(fail.Conflict, publishing(who, p), "network %s is internal: nothing comes in from outside", n.Name).
			Try("another network")
	case p.HostIP.Is6() && !n.IPv6:
		return fail.New(fail.Conflict, publishing(who, p), "network %s has no IPv6", n.Name).Try("cnet network create NAME --ipv6")
	case p.HostIP == netip.IPv6Loopback():
		return fail.New(fail.HostLacks, publishing(who, p), "the kernel lets no packet from ::1 leave the loopback link (IPv6 has no route_localnet)").
			Try("127.0.0.1:%d, or an address of the host", p.Host)
	}
	return nil
}

func publishing(who string, p Port) string {
	if who == "edge" {
		return fmt.Sprintf("edge at port %d", p.Host)
	}
	return fmt.Sprintf("publish %s of %s", p, strings.TrimPrefix(who, "container "))
}

func (c Container) claims() []claim { return claimed("container "+c.Name, c.Publish) }

func claimed(by string, ports []Port) []claim {
	list := make([]claim, len(ports))
	for i, p := range ports {
		list[i] = claim{p, by}
	}
	return list
}

// claim refuses ports of the host that a container or a service has published
// already, or at which a process listens.
func (t *Topology) claim(fresh []claim, h Host) error {
	if len(fresh) == 0 {
		return nil
	}
	if had, wanted, found := t.clash(fresh); found {
		f := fail.New(fail.Conflict, publishing(wanted.by, wanted.Port), "%s has published %s", had.by, had.Port)
		if had.by == "edge" {
			f.Why = fmt.Sprintf("the edge listens at %s", had.Port)
			return f.Try("choose another host port; cnet edge status")
		}
		if name, is := strings.CutPrefix(had.by, "container "); is {
			return f.Try("cnet unpublish %s %s, or choose another host port", name, had.Port)
		}
		return f.Try("choose another host port; cnet %s", strings.Replace(had.by, " ", " inspect ", 1))
	}
	ports := make([]Port, len(fresh))
	for i, f := range fresh {
		ports[i] = f.Port
	}
	at, holder, err := h.Listener(ports, t.spared())
	if err != nil || holder == "" {
		return err
	}
	for _, f := range fresh {
		if f.Port == at {
			return fail.New(fail.Conflict, publishing(f.by, at), "%s listens there; it would no longer be reached", holder).
				Try("stop it, or choose another host port or address")
		}
	}
	return nil
}

// Unpublished takes published ports back; without ports, all of the container's stack.
func (t *Topology) Unpublished(name string, ports []Port) error {
	c, err := t.Holder(name)
	if err != nil {
		return err
	}
	if len(ports) == 0 {
		c.Publish = nil
		return nil
	}
	had := make(map[Port]bool, len(c.Publish))
	for _, p := range c.Publish {
		had[p] = true
	}
	for _, p := range ports {
		if !had[p] {
			return fail.New(fail.NotFound, "unpublish "+name, "it has not published %s", p).Try("cnet inspect %s", name)
		}
		delete(had, p)
	}
	var rest []Port
	for _, p := range c.Publish {
		if had[p] {
			rest = append(rest, p)
		}
	}
	c.Publish = rest
	return nil
}

// spared are the addresses at which the gateways answer for names.
func (t *Topology) spared() (list []netip.AddrPort) {
	for _, n := range t.Networks {
		if !n.Names() {
			continue
		}
		for _, ip := range []netip.Addr{n.Gateway, n.Gateway6} {
			if ip.IsValid() {
				list = append(list, netip.AddrPortFrom(ip, NamesPort))
			}
		}
	}
	return list
}
