package nat_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/cnetlab/cnet/pkg/route"
)

const redirectIn = "/run/netns/web"

// redirecting are the facts of a container whose connections go to a proxy, and
// those of its own namespace.
func redirecting(backend string) (home, facts []fact.Fact) {
	home = []fact.Fact{netns.Dir{Path: "/run/netns"}, netns.Named{Path: redirectIn}, route.Up{Netns: redirectIn, Link: "lo"}}
	for _, ipv6 := range []bool{false, true} {
		for _, in := range []bool{false, true} {
			r := nat.Redirect{On: nat.On{Backend: backend, IPv6: ipv6, Netns: redirectIn}, Container: "web", Inbound: in, Port: 15001}
			facts = append(facts, nat.Redirects(r)...)
		}
	}
	return home, fact.Unique(facts)
}

func TestRedirectTwoWorlds(t *testing.T) {
	each(t, func(t *testing.T) { redirectTwoWorlds(t, nat.Iptables) })
}

func TestNftRedirectTwoWorlds(t *testing.T) {
	inNft(t, func(t *testing.T) { redirectTwoWorlds(t, nat.Nftables) })
}

func redirectTwoWorlds(t *testing.T, backend string) {
	home, facts := redirecting(backend)
	hosttest.TwoWorlds(t, append(home, facts...)...)
	ends := append([]fact.Fact{}, home...)
	for _, f := range facts {
		if r, ok := f.(nat.Redirect); ok {
			r.Ends = true
			f = r
		}
		ends = append(ends, f)
	}
	hosttest.TwoWorlds(t, ends...)
	ctx := context.Background()
	for _, f := range append(home, facts...) {
		must(t, f.Make(ctx))
	}
	for _, f := range facts {
		if spoil := spoilRedirect(f); spoil != "" {
			hosttest.TwoMends(t, f, spoil)
			hosttest.TwoMends(t, f, loopAll(f))
		}
	}
	hosttest.Sh(t, "ip netns delete web")
	for _, f := range facts { // they went with it
		must(t, f.Break(ctx))
		if truth, err := f.Probe(ctx); err != nil || truth.State != fact.Absent {
			t.Errorf("%s: %v, %v", f.Key(), truth, err)
		}
	}
}

// spoilRedirect takes away the rule that spares the proxy.
func spoilRedirect(f fact.Fact) string {
	r, ok := f.(nat.Redirect)
	if !ok {
		return ""
	}
	for _, c := range f.Commands(fact.Make) {
		words := c.String()
		if strings.Contains(words, "RETURN") && strings.Contains(words, "--mark") {
			return strings.Replace(words, " -A ", " -D ", 1)
		}
	}
	name := map[bool]string{false: "redirect-out", true: "redirect-in"}[r.Inbound] + map[bool]string{false: "4", true: "6"}[r.IPv6]
	return fmt.Sprintf(`ip netns exec web sh -ec 'nft delete rule inet cnet %[1]s handle $(nft -a list chain inet cnet %[1]s | sed -n "/own/s/.*handle //p")'`, name)
}

// loopAll has a rule of somebody's lead all to the proxy, its own connections too.
func loopAll(f fact.Fact) string {
	r := f.(nat.Redirect)
	for _, c := range f.Commands(fact.Make) {
		if words := c.String(); strings.Contains(words, "REDIRECT --to") {
			program, rest, _ := strings.Cut(words, " -A ")
			return program + " -I " + strings.Fields(rest)[0] + " 1 -p tcp -j REDIRECT --to-ports 15001"
		}
	}
	return fmt.Sprintf("ip netns exec web nft insert rule inet cnet redirect-%s%s meta l4proto tcp redirect to :15001",
		map[bool]string{false: "out", true: "in"}[r.Inbound], map[bool]string{false: "4", true: "6"}[r.IPv6])
}

// What a container calls arrives at the proxy; what the proxy calls does not, even
// where the rule that spares it is gone.
func TestRedirect(t *testing.T) {
	each(t, func(t *testing.T) { redirects(t, nat.Iptables) })
}

func TestNftRedirect(t *testing.T) {
	inNft(t, func(t *testing.T) { redirects(t, nat.Nftables) })
}

func redirects(t *testing.T, backend string) {
	ctx := context.Background()
	home, facts := redirecting(backend)
	for _, f := range append(home, facts...) {
		must(t, f.Make(ctx))
	}
	hosttest.Sh(t, `ip link add v0 type veth peer name eth0 netns web
		ip addr add 10.9.0.1/24 dev v0; ip -6 addr add fd09::1/64 dev v0 nodad; ip link set v0 up
		ip -n web addr add 10.9.0.2/24 dev eth0; ip -n web -6 addr add fd09::2/64 dev eth0 nodad; ip -n web link set eth0 up`)
	for _, ip := range []string{"10.9.0.1", "fd09::1"} {
		server := listen(t, "", net.JoinHostPort(ip, "80"))
		proxy := listen(t, redirectIn, ":15001")
		arrives(t, net.JoinHostPort(ip, "80"), 0, proxy)
		arrives(t, net.JoinHostPort(ip, "80"), nat.OwnMark, server)
		for _, f := range facts {
			r, ok := f.(nat.Redirect)
			if !ok || r.IPv6 != strings.Contains(ip, ":") {
				continue
			}
			taken, own, err := r.Counts(ctx)
			if want := map[bool]uint64{true: 0, false: 1}[r.Inbound]; err != nil || taken.Packets != want || own.Packets != want {
				t.Errorf("%s: %v taken, %v own, %v", f.Key(), taken, own, err)
			}
			hosttest.Sh(t, spoilRedirect(f))
		}
		arrives(t, net.JoinHostPort(ip, "80"), nat.OwnMark, server)
		server.Close()
		proxy.Close()
	}
}

func listen(t *testing.T, netnsPath, at string) (l net.Listener) {
	t.Helper()
	must(t, netns.Do(netnsPath, func() (err error) {
		l, err = net.Listen("tcp", at)
		return err
	}))
	return l
}

// arrives calls from the container with a mark, and expects that who listens at l is reached.
func arrives(t *testing.T, at string, mark int, l net.Listener) {
	t.Helper()
	family := unix.AF_INET6
	addr := net.TCPAddr{IP: net.ParseIP(strings.Trim(at[:strings.LastIndex(at, ":")], "[]")), Port: 80}
	var to unix.Sockaddr = &unix.SockaddrInet6{Port: 80, Addr: [16]byte(addr.IP.To16())}
	if ip := addr.IP.To4(); ip != nil {
		family, to = unix.AF_INET, &unix.SockaddrInet4{Port: 80, Addr: [4]byte(ip)}
	}
	must(t, netns.Do(redirectIn, func() error {
		fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, mark); err != nil {
			return err
		}
		if err := unix.Connect(fd, to); err != nil {
			return fmt.Errorf("call %s with mark %#x: %w", at, mark, err)
		}
		mine, err := unix.Getsockname(fd)
		if err != nil {
			return err
		}
		_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(5 * time.Second))
		c, err := l.Accept()
		if err != nil {
			return err
		}
		defer c.Close()
		port := c.RemoteAddr().(*net.TCPAddr).Port
		if want := portOf(mine); port != want {
			return fmt.Errorf("call %s with mark %#x: another arrived, from port %d, not %d", at, mark, port, want)
		}
		return nil
	}))
}

func portOf(sa unix.Sockaddr) int {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return sa.Port
	case *unix.SockaddrInet6:
		return sa.Port
	}
	return 0
}
