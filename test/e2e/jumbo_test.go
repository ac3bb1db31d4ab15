package e2e

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/netns"
	"golang.org/x/sys/unix"
)

// parcel is a datagram from a place to an address, and its answer, in bytes.
type parcel struct {
	name        string
	from        string // a namespace, "" is the host
	to          func(ipv6 bool) netip.AddrPort
	ask, answer int
	whole       bool // it must not be fragmented (DF)
	only4       bool
}

// TestJumbo sends one large datagram each way over a network whose MTU is larger
// than the uplink's. None may be lost, not even the first to a peer: nobody is
// told by the loss of it how large the next may be.
func TestJumbo(t *testing.T) {
	t.Parallel()
	for _, driver := range []string{"bridge", "ptp"} {
		driver := driver
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			hosttest.Run(t, func(t *testing.T) { jumbo(t, driver) })
		})
	}
}

func jumbo(t *testing.T, driver string) {
	lan(t)
	must(t, "network", "create", "big", "--driver", driver, "--mtu", "jumbo", "--ipv6")
	must(t, "network", "create", "small", "--ipv6")
	must(t, "create", "web", "peer", "--network", "big")
	must(t, "create", "other", "--network", "small")
	must(t, "publish", "web", "8080:80/udp")
	must(t, "publish", "other", "8081:80/udp")
	web, other := pair("10.77.0.2", "fd77:77:77::2"), pair("10.77.1.2", "fd77:77:77:1::2")
	for ns, at := range map[string]dual{"web": web, "other": other, "outside": outside} {
		echo(t, ns, at.v4)
		echo(t, ns, at.v6)
	}
	at := func(d dual, port uint16) func(bool) netip.AddrPort {
		return func(ipv6 bool) netip.AddrPort { return netip.AddrPortFrom(d.addr(ipv6), port) }
	}
	for _, p := range []parcel{
		{name: "sibling", from: "peer", to: at(web, 80), ask: 60000, answer: 60000, whole: true},
		{name: "the host", to: at(web, 80), ask: 60000, answer: 60000, whole: true},
		{name: "out", from: "peer", to: at(outside, 80), ask: 9000, answer: 40},
		{name: "out, a large answer", from: "peer", to: at(outside, 80), ask: 40, answer: 9000},
		{name: "in", from: "outside", to: at(uplink, 8080), ask: 9000, answer: 40},
		{name: "in, a large answer", from: "outside", to: at(uplink, 8080), ask: 40, answer: 9000},
		{name: "the host by its address", to: at(uplink, 8080), ask: 9000, answer: 9000},
		{name: "the host by 127.0.0.1", to: at(localhost, 8080), ask: 60000, answer: 60000, only4: true},
		{name: "sibling by the host's address", from: "peer", to: at(uplink, 8080), ask: 9000, answer: 9000},
		{name: "itself by the host's address", from: "web", to: at(uplink, 8080), ask: 9000, answer: 9000},
		{name: "into a smaller network", from: "peer", to: at(uplink, 8081), ask: 9000, answer: 9000},
		{name: "from a smaller network", from: "other", to: at(uplink, 8080), ask: 9000, answer: 9000},
	} {
		for _, ipv6 := range []bool{false, true} {
			if ipv6 && p.only4 {
				continue
			}
			for _, ns := range []string{"web", "peer", "other", "outside", ""} {
				forgetSizes(t, ns)
			}
			if err := p.send(ipv6); err != nil {
				t.Errorf("%s, IPv6 %v: %v", p.name, ipv6, err)
			}
		}
	}
}

// forgetSizes has a place forget what it learnt of paths (ip-route(8)).
func forgetSizes(t *testing.T, ns string) {
	t.Helper()
	in := ""
	if ns != "" {
		in = "-n " + ns + " "
	}
	hosttest.Sh(t, "ip "+in+"route flush cache; ip "+in+"-6 route flush cache")
}

// echo starts a server that answers with as many bytes as it is asked for.
func echo(t *testing.T, ns string, ip netip.Addr) {
	t.Helper()
	var conn net.PacketConn
	err := netns.Do(path(ns), func() (err error) {
		conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, 80)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, from, err := conn.ReadFrom(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if n < 4 {
				continue // an error of an earlier answer
			}
			_, _ = conn.WriteTo(make([]byte, binary.BigEndian.Uint32(buf)), from)
		}
	}()
}

func (p parcel) send(ipv6 bool) error {
	var conn net.Conn
	err := netns.Do(path(p.from), func() (err error) {
		d := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error { return raw.Control(p.keepWhole) }}
		conn, err = d.Dial("udp", p.to(ipv6).String())
		return err
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	data := make([]byte, p.ask)
	binary.BigEndian.PutUint32(data, uint32(p.answer))
	if _, err := conn.Write(data); err != nil {
		return err
	}
	n, err := conn.Read(make([]byte, 1<<16))
	if err == nil && n != p.answer {
		err = fmt.Errorf("the answer has %d bytes, want %d", n, p.answer)
	}
	return err
}

func (p parcel) keepWhole(fd uintptr) {
	if p.whole {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO)
		_ = unix.SetsockoptInt(int(fd), unix.SOL_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_DO)
	}
}
