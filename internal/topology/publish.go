package topology

import (
	"fmt"
	"net/netip"

	"github.com/cnetlab/cnet/internal/fail"
)

// Published publishes ports of a container on the host.
func (t *Topology) Published(name string, ports []Port, h Host) error {
	c, err := t.Container(name)
	if err != nil {
		return err
	}
	if c.Share != "" {
		return fail.New(fail.Usage, "publish "+name, "%s shares the namespace of %s", name, c.Share).Try("cnet publish %s …", c.Share)
	}
	a := c.Main()
	if a == nil {
		return fail.New(fail.Conflict, "publish "+name, "it is not connected to a network").Try("cnet connect %s", name)
	}
	n, err := t.Network(a.Network)
	if err != nil {
		return err
	}
	for _, p := range ports {
		if err := t.publish(c, n, p, h); err != nil {
			return err
		}
	}
	return nil
}

// publish publishes one port after everything that could stand in its way is looked at.
func (t *Topology) publish(c *Container, n *Network, p Port, h Host) error {
	what := fmt.Sprintf("publish %s of %s", p, c.Name)
	if n.Internal {
		return fail.New(fail.Conflict, what, "network %s is internal: nothing comes in from outside", n.Name).
			Try("cnet connect %s to another network first", c.Name)
	}
	if p.HostIP.Is6() && !n.IPv6 {
		return fail.New(fail.Conflict, what, "network %s has no IPv6", n.Name).Try("cnet network create NAME --ipv6")
	}
	if p.HostIP == netip.IPv6Loopback() {
		return fail.New(fail.HostLacks, what, "the kernel lets no packet from ::1 leave the loopback link (IPv6 has no route_localnet)").
			Try("127.0.0.1:%d, or an address of the host", p.Host)
	}
	for i := range t.Containers {
		for _, q := range t.Containers[i].Publish {
			if p.Overlaps(q) {
				return fail.New(fail.Conflict, what, "container %s has published %s", t.Containers[i].Name, q).
					Try("cnet unpublish %s %s, or choose another host port", t.Containers[i].Name, q)
			}
		}
	}
	holder, err := h.Listener(p)
	if err != nil {
		return err
	}
	if holder != "" {
		return fail.New(fail.Conflict, what, "%s listens there; it would no longer be reached", holder).
			Try("stop it, or choose another host port")
	}
	c.Publish = append(c.Publish, p)
	return nil
}

// Unpublished takes published ports back; without ports, all of the container's.
func (t *Topology) Unpublished(name string, ports []Port) error {
	c, err := t.Container(name)
	if err != nil {
		return err
	}
	if len(ports) == 0 {
		c.Publish = nil
		return nil
	}
	for _, p := range ports {
		i := c.published(p)
		if i < 0 {
			return fail.New(fail.NotFound, "unpublish "+name, "it has not published %s", p).Try("cnet inspect %s", name)
		}
		c.Publish = append(c.Publish[:i:i], c.Publish[i+1:]...)
	}
	return nil
}

func (c *Container) published(p Port) int {
	for i, q := range c.Publish {
		if p == q {
			return i
		}
	}
	return -1
}
