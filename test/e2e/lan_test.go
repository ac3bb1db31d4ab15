package e2e

import (
	"net/netip"
	"testing"

	"github.com/cnetlab/cnet/internal/hosttest"
)

// dual is one place's address in each family.
type dual struct{ v4, v6 netip.Addr }

func pair(v4, v6 string) dual { return dual{netip.MustParseAddr(v4), netip.MustParseAddr(v6)} }

func (d dual) addr(ipv6 bool) netip.Addr {
	if ipv6 {
		return d.v6
	}
	return d.v4
}

// The places of the LAN, of addresses for documentation (RFC 5737, RFC 3849).
var (
	outside   = pair("203.0.113.1", "2001:db8::1")
	uplink    = pair("203.0.113.2", "2001:db8::2") // the host
	neighbour = pair("203.0.113.3", "2001:db8::3")
	localhost = pair("127.0.0.1", "::1")
)

// lan gives the sandbox's host an uplink to a LAN: a router, which is the
// namespace outside, and a neighbour. The host filters by reverse path, as
// strict hosts do. IPv6 addresses are good at once (accept_dad), and so do not
// change while a test looks.
//
//	host            outside
//	uplink0 ------- [ lan ] ------- lan0   neighbour
//	.2                .1              .3
func lan(t testing.TB) {
	t.Helper()
	hosttest.Sh(t, lanScript)
}

const lanScript = `
ip link set lo up
ip netns add outside
ip netns add neighbour
for in in 'ip netns exec outside' 'ip netns exec neighbour' ''; do
	$in sysctl -qw net.ipv6.conf.default.accept_dad=0
done
ip -n outside link set lo up
ip -n outside link add lan type bridge
ip link add uplink0 type veth peer name host0 netns outside
ip -n neighbour link add lan0 type veth peer name neighbour0 netns outside
for port in host0 neighbour0; do ip -n outside link set $port master lan up; done
ip -n outside link set lan up
ip link set uplink0 up
ip -n neighbour link set lan0 up

ip -n outside address add 203.0.113.1/24 dev lan
ip -n outside address add 2001:db8::1/64 dev lan nodad
ip address add 203.0.113.2/24 dev uplink0
ip address add 2001:db8::2/64 dev uplink0 nodad
ip -n neighbour address add 203.0.113.3/24 dev lan0
ip -n neighbour address add 2001:db8::3/64 dev lan0 nodad
ip route add default via 203.0.113.1
ip -6 route add default via 2001:db8::1

sysctl -qw net.ipv4.conf.all.rp_filter=1
`
