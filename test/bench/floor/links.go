package main

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const (
	netnsDir = "/run/netns"
	group    = 77 // of all cables, to delete them together
)

// networks makes the bridges, with forwarding on, and the map of ports.
func networks(count int) error {
	err := errors.Join(
		os.MkdirAll(netnsDir, 0o755),
		os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644))
	for i := 0; i < count && err == nil; i++ {
		err = network(i)
	}
	if err != nil {
		return err
	}
	return table()
}

func network(i int) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = bridge(i)
	// A MAC of its own: else it follows the ports.
	attrs.HardwareAddr = net.HardwareAddr{0x0a, 0x77, 0, 0, 0, byte(i)}
	br := &netlink.Bridge{LinkAttrs: attrs}
	gateway := &netlink.Addr{IPNet: &net.IPNet{IP: address(i, 0), Mask: net.CIDRMask(16, 32)}}
	return errors.Join(netlink.LinkAdd(br), netlink.AddrAdd(br, gateway), netlink.LinkSetUp(br))
}

func bridge(i int) string    { return fmt.Sprintf("fl%d", i) }
func container(i int) string { return fmt.Sprintf("c%d", i) }

// address is that of a host of a network; the gateway is 0.
func address(network, host int) net.IP {
	return net.IPv4(10, byte(90+network), byte((host+1)>>8), byte(host+1)).To4()
}

// up makes containers, the i-th on network i modulo the number of networks.
func up(count, over, port int) error {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	var ports *ports
	if port > 0 {
		if ports, err = open(); err != nil {
			return err
		}
	}
	bridges := make([]int, over)
	for i := range bridges {
		br, err := h.LinkByName(bridge(i))
		if err != nil {
			return err
		}
		bridges[i] = br.Attrs().Index
	}
	for i := 0; i < count; i++ {
		// The noise of IPv6 grows with the square of a bridge's ports.
		c := cable{h: h, name: container(i), bridge: bridges[i%over], quiet: count > 1}
		if err := c.up(address(i%over, i/over+1), address(i%over, 0)); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	if port > 0 {
		return ports.change(port, port, ports.conn.SetAddElements)
	}
	return nil
}

type cable struct {
	h      *netlink.Handle // of the host
	name   string
	bridge int
	quiet  bool
}

// up leaves the thread in the new namespace: the next is made from there.
func (c cable) up(ip, gateway net.IP) error {
	path := netnsDir + "/" + c.name
	f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return err
	}
	f.Close()
	const own = "/proc/thread-self/ns/net"
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	if err := unix.Mount(own, path, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	ns, err := os.Open(own)
	if err != nil {
		return err
	}
	defer ns.Close()
	if err := c.plug(int(ns.Fd())); err != nil {
		return err
	}
	inside, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer inside.Close()
	return c.configure(inside, ip, gateway)
}

// plug makes the cable, its far end in the namespace.
func (c cable) plug(ns int) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.Group = c.name, group
	link := netlink.NewVeth(attrs)
	link.PeerName, link.PeerNamespace = "eth0", netlink.NsFd(ns)
	if err := c.h.LinkAdd(link); err != nil {
		return err
	}
	if err := c.h.LinkSetMasterByIndex(link, c.bridge); err != nil {
		return err
	}
	return c.start(c.h, link)
}

func (c cable) start(h *netlink.Handle, link netlink.Link) error {
	if c.quiet {
		const none = 1 // IN6_ADDR_GEN_MODE_NONE
		if err := h.LinkSetIP6AddrGenMode(link, none); err != nil {
			return err
		}
	}
	return h.LinkSetUp(link)
}

func (c cable) configure(h *netlink.Handle, ip, gateway net.IP) error {
	lo := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: "lo", Index: 1}}
	if err := h.LinkSetUp(lo); err != nil {
		return err
	}
	eth0, err := h.LinkByName("eth0")
	if err != nil {
		return err
	}
	if err := h.AddrAdd(eth0, &netlink.Addr{IPNet: &net.IPNet{IP: ip, Mask: net.CIDRMask(16, 32)}}); err != nil {
		return err
	}
	if err := c.start(h, eth0); err != nil {
		return err
	}
	return h.RouteAdd(&netlink.Route{LinkIndex: eth0.Attrs().Index, Gw: gateway})
}

// down deletes all cables with one message, which returns when they are gone,
// and lets the namespaces go. To close a socket of nf_tables takes its time after
// a deletion, so the port goes meanwhile.
func down(count, port int) error {
	closed := make(chan error, 1)
	go func() {
		if port == 0 {
			closed <- nil
			return
		}
		closed <- unpublish(port, port)
	}()
	req := nl.NewNetlinkRequest(unix.RTM_DELLINK, unix.NLM_F_ACK)
	req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	req.AddData(nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(group)))
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	for i := 0; i < count && err == nil; i++ {
		path := netnsDir + "/" + container(i)
		err = errors.Join(unix.Unmount(path, unix.MNT_DETACH), os.Remove(path))
	}
	return errors.Join(err, <-closed)
}
