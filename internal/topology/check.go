package topology

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/cnetlab/cnet/internal/fail"
)

// Fault is what is wrong with one object of a topology.
type Fault struct {
	Kind string // network, container or service
	Name string
	Err  error
}

func (f *Fault) Error() string { return f.Kind + " " + f.Name + ": " + f.Err.Error() }

func (f *Fault) Unwrap() error { return f.Err }

// Check returns the first [Fault] of a topology that was read and not made by
// the verbs: a name, prefix or address that none of them would have let in, two
// of what there can be one of, or a word for what is not there. A topology
// without a fault can be compiled.
func (t Topology) Check() error {
	c := checker{topo: t, holder: make(map[string]map[netip.Addr]string, len(t.Networks)), stacks: make(map[string]bool)}
	for i, n := range t.Networks {
		if err := c.network(i, n); err != nil {
			return &Fault{"network", n.Name, err}
		}
		c.holder[n.Name] = make(map[netip.Addr]string)
	}
	if err := c.subnets(); err != nil {
		return err
	}
	for i, k := range t.Containers {
		if err := c.container(i, k); err != nil {
			return &Fault{"container", k.Name, err}
		}
	}
	if err := c.edge(); err != nil {
		return err
	}
	if err := c.services(); err != nil {
		return err
	}
	return c.ports()
}

type checker struct {
	topo   Topology
	holder map[string]map[netip.Addr]string // by network: who has an address
	stacks map[string]bool                  // that have another name than their holders
}

func (c checker) network(i int, n Network) error {
	if err := CheckName("network", n.Name); err != nil {
		return err
	}
	if i > 0 && c.topo.Networks[i-1].Name >= n.Name {
		return fmt.Errorf("the networks are not in the order of their names, or two have this one")
	}
	if n.IPv6 != n.Subnet6.IsValid() {
		return fmt.Errorf("its ipv6 and its subnet6 contradict each other")
	}
	if err := n.checkWords(); err != nil {
		return err
	}
	if err := n.checkNumbers(); err != nil {
		return err
	}
	return nil
}

// subnets checks that no two networks that need leave to overlap do. Prefixes
// are apart or one within the other, so that in their order only neighbours matter.
func (c checker) subnets() error {
	type subnet struct {
		netip.Prefix
		of string
	}
	var all []subnet
	for _, n := range c.topo.Networks {
		// Which of two was there first, and needed no leave, is not known any more.
		if n.AllowOverlap {
			continue
		}
		for _, p := range n.Prefixes() {
			all = append(all, subnet{p, n.Name})
		}
	}
	slices.SortFunc(all, func(a, b subnet) int {
		if order := a.Addr().Compare(b.Addr()); order != 0 {
			return order
		}
		return a.Bits() - b.Bits()
	})
	for i := 1; i < len(all); i++ {
		if a, b := all[i-1], all[i]; a.Overlaps(b.Prefix) {
			return &Fault{"network", max(a.of, b.of), fmt.Errorf("its subnet overlaps that of network %s", min(a.of, b.of))}
		}
	}
	return nil
}

// checkWords refuses a network that the verbs would not make, or not leave like that.
func (n Network) checkWords() error {
	if n.Driver != Bridge && n.Driver != PTP {
		return fmt.Errorf("there is no driver %s", quote(n.Driver))
	}
	if n.Firewall == "" || n.Firewall == "auto" {
		return fmt.Errorf("it has no firewall backend")
	}
	if err := CheckFirewall(n.Firewall); err != nil {
		return err
	}
	return n.checkLinks()
}

// Prefixes are the network's subnets.
func (n Network) Prefixes() []netip.Prefix {
	if n.IPv6 {
		return []netip.Prefix{n.Subnet, n.Subnet6}
	}
	return []netip.Prefix{n.Subnet}
}

// checkNumbers checks subnets, gateways and the MTU.
func (n Network) checkNumbers() error {
	if !n.Subnet.IsValid() || !n.Subnet.Addr().Is4() || !n.Gateway.Is4() {
		return fmt.Errorf("it has no IPv4 subnet, or no gateway in it")
	}
	if n.IPv6 && (!n.Subnet6.Addr().Is6() || !n.Gateway6.Is6()) {
		return fmt.Errorf("it has no IPv6 subnet, or no gateway in it")
	}
	gateways := []netip.Addr{n.Gateway, n.Gateway6}
	for i, p := range n.Prefixes() {
		if err := checkSubnet(p); err != nil {
			return err
		}
		if err := checkIP(&n, p, gateways[i], netip.Addr{}, nil); err != nil {
			return err
		}
	}
	return errors.Join(n.checkMTU(), n.checkTTL())
}

func (c checker) container(i int, k Container) error {
	if err := CheckName("container", k.Name); err != nil {
		return err
	}
	if i > 0 && c.topo.Containers[i-1].Name >= k.Name {
		return fmt.Errorf("the containers are not in the order of their names, or two have this one")
	}
	if err := checkPath(k.Netns); err != nil {
		return err
	}
	if err := k.checkResolver(); err != nil {
		return err
	}
	if err := checkLabels(k.Labels); err != nil {
		return err
	}
	if _, err := c.topo.Service(k.Name); err == nil {
		return fmt.Errorf("a service has its name")
	}
	if err := c.share(k); err != nil {
		return err
	}
	leads := 0
	for j, a := range k.Networks {
		if err := c.attachment(k, k.Networks[:j], a); err != nil {
			return err
		}
		if a.Leads() {
			leads++
		}
	}
	switch {
	case leads > 1:
		return fmt.Errorf("it has %d default routes", leads)
	case len(k.Publish) > 0 && len(k.Networks) == 0:
		return fmt.Errorf("it has published ports and is not connected to a network")
	case k.Sidecar != nil:
		return k.admitsSidecar(*k.Sidecar)
	}
	return nil
}

// share checks a container of a pod.
func (c checker) share(k Container) error {
	if k.Share == "" {
		return c.stack(k)
	}
	if len(k.Networks)+len(k.Publish) > 0 || k.Netns != "" || k.Stack != "" || k.Sidecar != nil {
		return fmt.Errorf("it shares a stack and has networks, ports, a sidecar or a namespace of its own")
	}
	holder, err := c.topo.Container(k.Share)
	if err == nil && holder.Share != "" {
		err = fmt.Errorf("%s, whose stack it shares, itself shares that of %s", k.Share, holder.Share)
	}
	return err
}

// stack checks the name of the stack that a container holds.
func (c checker) stack(k Container) error {
	if k.Stack == "" {
		return nil
	}
	if err := CheckName("stack", k.Stack); err != nil {
		return err
	}
	if other, err := c.topo.Container(k.Stack); err == nil && other.Share != k.Name {
		return fmt.Errorf("its stack %s has the name of another container", k.Stack)
	}
	if c.stacks[k.Stack] {
		return fmt.Errorf("another container holds the stack %s, too", k.Stack)
	}
	c.stacks[k.Stack] = true
	return nil
}

func (c checker) attachment(k Container, before []Attachment, a Attachment) error {
	n, err := c.topo.Network(a.Network)
	if err != nil {
		return err
	}
	for _, b := range before {
		if b.Network == a.Network || b.Interface == a.Interface {
			return fmt.Errorf("it is connected twice to %s, or has two links %s", a.Network, a.Interface)
		}
	}
	if err := checkLink(a.Interface); err != nil {
		return err
	}
	if mac, err := checkMAC(a.MAC); err != nil || mac != a.MAC {
		return fmt.Errorf("%s is not a MAC address as cnet writes it", quote(a.MAC))
	}
	for _, alias := range a.Aliases {
		if err := CheckName("alias", alias); err != nil {
			return err
		}
	}
	return c.addresses(k, *n, a)
}

// addresses checks that an attachment's addresses are in its network, and its own.
func (c checker) addresses(k Container, n Network, a Attachment) error {
	if !a.IP.Is4() || a.IP6.IsValid() != n.IPv6 {
		return fmt.Errorf("it has not one address in each subnet of network %s", n.Name)
	}
	holder := c.holder[n.Name]
	if err := checkIP(&n, n.Subnet, a.IP, n.Gateway, holder); err != nil {
		return err
	}
	holder[a.IP] = k.Name
	if !n.IPv6 {
		return nil
	}
	if err := checkIP(&n, n.Subnet6, a.IP6, n.Gateway6, holder); err != nil {
		return err
	}
	holder[a.IP6] = k.Name
	return nil
}

// ports checks that no port of the host is published twice.
func (c checker) ports() error {
	if p, q, found := c.topo.clash(nil); found {
		kind, name, _ := strings.Cut(q.by, " ")
		return &Fault{kind, name, fmt.Errorf("it publishes %s, and %s publishes %s", q.Port, p.by, p.Port)}
	}
	return nil
}

// checkPath refuses what is no path of a namespace.
func checkPath(path string) error {
	if path != "" && (!strings.HasPrefix(path, "/") || strings.ContainsAny(path, "\x00\n")) {
		return fail.New(fail.Usage, "namespace "+quote(path), "a namespace has an absolute path").Try("--netns /proc/PID/ns/net")
	}
	return nil
}
