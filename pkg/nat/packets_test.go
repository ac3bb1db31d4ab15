package nat_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
	"github.com/cnetlab/cnet/pkg/netns"
)

const web = "/run/netns/web"

// wire makes a network with one container, web, at 10.77.0.2 and fd77::2.
func wire(t *testing.T) {
	t.Helper()
	hosttest.Sh(t, `
		ip link set lo up
		ip link add cnet-lab type bridge
		ip link set cnet-lab up
		ip addr add 10.77.0.1/24 dev cnet-lab
		ip addr add fd77::1/64 dev cnet-lab nodad
		ip netns add web
		ip link add web-eth0 type veth peer name eth0 netns web
		ip link set web-eth0 master cnet-lab up
		ip -n web link set lo up
		ip -n web link set eth0 up
		ip -n web addr add 10.77.0.2/24 dev eth0
		ip -n web addr add fd77::2/64 dev eth0 nodad
		ip -n web route add default via 10.77.0.1
		sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
		sysctl -qw net.ipv4.conf.cnet-lab.route_localnet=1
		ip -6 route append local ::1 dev cnet-lab table local metric 4096
		if [ -e /proc/sys/net/bridge/bridge-nf-call-ip6tables ]; then
			sysctl -qw net.bridge.bridge-nf-call-ip6tables=0
		fi`)
	ctx := context.Background()
	must(t, ip4.MakeAll(ctx, append(hooks(ip4), network(ip4, "lab", "10.77.0.0/24", "cnet-lab")...)))
	must(t, ip6.MakeAll(ctx, append(hooks(ip6), network(ip6, "lab", "fd77::/64", "cnet-lab")...)))
}

// serve answers TCP connections in web at these ports with the port's number.
func serve(t *testing.T, ports ...int) {
	t.Helper()
	for _, p := range ports {
		p := p
		var l net.Listener
		must(t, netns.Do(web, func() (err error) {
			l, err = net.Listen("tcp", fmt.Sprintf(":%d", p))
			return err
		}))
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				fmt.Fprint(c, p)
				c.Close()
			}
		}()
	}
}

// call returns what a server says to the host.
func call(network, addr string) string {
	c, err := net.DialTimeout(network, addr, 2*time.Second)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	b, err := io.ReadAll(c)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestPackets(t *testing.T) {
	each(t, func(t *testing.T) {
		wire(t)
		serve(t, 80, 8000, 8003, 8009, 9003)
		at := func(f nat.Publish, host string) nat.Publish {
			f.HostIP = netip.MustParseAddr(host)
			return f
		}
		must(t, ip4.MakeAll(context.Background(), []fact.Fact{
			port(ip4, "tcp", "10.77.0.2", 7000, 7009, 8000),
			port(ip6, "tcp", "fd77::2", 7000, 7009, 8000),
			port(ip4, "tcp", "10.77.0.2", 9000, 9009, 9000),
			port(ip6, "tcp", "fd77::2", 9000, 9009, 9000),
			at(port(ip4, "tcp", "10.77.0.2", 81, 81, 80), "127.0.0.1"),
			at(port(ip6, "tcp", "fd77::2", 81, 81, 80), "::1"),
		}))
		tests := []struct{ name, addr, want string }{
			{"first of a shifted range", "10.77.0.1:7000", "8000"},
			{"inside a shifted range", "10.77.0.1:7003", "8003"},
			{"last of a shifted range", "10.77.0.1:7009", "8009"},
			{"shifted range, IPv6", "[fd77::1]:7003", "8003"},
			{"range that keeps its numbers", "10.77.0.1:9003", "9003"},
			{"range that keeps its numbers, IPv6", "[fd77::1]:9003", "9003"},
			{"by 127.0.0.1", "127.0.0.1:7003", "8003"},
			{"by 127.0.0.1 alone", "127.0.0.1:81", "80"},
			{"by 127.0.0.1 alone, called by another", "10.77.0.1:81", "dial tcp 10.77.0.1:81: connect: connection refused"},
			{"by ::1", "[::1]:7003", "8003"},
			{"by ::1 alone", "[::1]:81", "80"},
		}
		for _, tt := range tests {
			if got := call("tcp", tt.addr); got != tt.want {
				t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
			}
		}
	})
}

// TestLoopbackClosed sends from the container to the host's 127.0.0.1, which
// route_localnet alone would let in.
func TestLoopbackClosed(t *testing.T) {
	each(t, func(t *testing.T) {
		wire(t)
		hosttest.Sh(t, `
			ip netns exec web sysctl -qw net.ipv4.conf.eth0.route_localnet=1
			ip -n web addr del 127.0.0.1/8 dev lo
			ip -n web route add 127.0.0.1 via 10.77.0.1 src 10.77.0.2
			ip -n web rule add pref 1 to 127.0.0.1 lookup main
			ip netns exec web sysctl -qw net.ipv4.conf.all.rp_filter=0`)
		secret, err := net.ListenPacket("udp", "127.0.0.1:5353")
		must(t, err)
		defer secret.Close()
		send := func() bool {
			must(t, netns.Do(web, func() error {
				c, err := net.Dial("udp", "127.0.0.1:5353")
				if err != nil {
					return err
				}
				defer c.Close()
				_, err = c.Write([]byte("x"))
				return err
			}))
			_ = secret.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
			_, _, err := secret.ReadFrom(make([]byte, 1))
			return err == nil
		}
		if send() {
			t.Error("the container reached the host's 127.0.0.1")
		}
		must(t, nat.Loopback{On: ip4, Network: "lab", Iface: "cnet-lab"}.Break(context.Background()))
		if !send() {
			t.Error("without the rule nothing came either: the test proves nothing")
		}
	})
}

// TestFlush keeps one UDP flow going while its port is published and taken back.
func TestFlush(t *testing.T) {
	each(t, func(t *testing.T) {
		ctx := context.Background()
		wire(t)
		onHost := echo(t, "", "host")
		must(t, netns.Do(web, func() error { echo(t, ":5000", "web"); return nil }))
		p := port(ip4, "udp", "10.77.0.2", uint16(onHost), uint16(onHost), 5000)
		c, err := net.Dial("udp4", fmt.Sprintf("10.77.0.1:%d", onHost))
		must(t, err)
		defer c.Close()
		for _, step := range []struct {
			do   func(context.Context) error
			want string
		}{
			{func(context.Context) error { return nil }, "host"},
			{p.Make, "web"},
			{p.Break, "host"},
		} {
			must(t, step.do(ctx))
			if got := ask(t, c); got != step.want {
				t.Errorf("got an answer of %q, want %q", got, step.want)
			}
		}
	})
}

// echo answers datagrams with a name, and returns the port.
func echo(t *testing.T, addr, name string) int {
	t.Helper()
	l, err := net.ListenPacket("udp4", addr)
	must(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		b := make([]byte, 16)
		for {
			_, from, err := l.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = l.WriteTo([]byte(name), from)
		}
	}()
	return l.LocalAddr().(*net.UDPAddr).Port
}

func ask(t *testing.T, c net.Conn) string {
	t.Helper()
	_, err := c.Write([]byte("who"))
	must(t, err)
	_ = c.SetReadDeadline(time.Now().Add(2 * time.Second))
	b := make([]byte, 16)
	n, err := c.Read(b)
	if err != nil {
		return err.Error()
	}
	return string(b[:n])
}
