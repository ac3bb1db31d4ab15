package verify

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/sockets"
	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/cnetlab/cnet/pkg/route"
	"github.com/cnetlab/cnet/pkg/sysctl"
	"github.com/cnetlab/cnet/pkg/veth"
)

// The outside: no container can have such a name, and no rule of cnet's means
// such a link.
const (
	outsideNetns = "/run/netns/cnet_outside"
	nearLink     = "verify0"
	farLink      = "eth0"
)

// Look finds out what promises depend on besides the topology.
func Look(ctx context.Context, t topology.Topology) (Host, error) {
	h := Host{Listens: make(map[string][]netip.AddrPort)}
	own, err := route.Own(ctx)
	if err != nil {
		return h, err
	}
	for _, ip := range own {
		if !isGateway(t, ip) {
			h.Own = append(h.Own, ip)
		}
	}
	if h.Gateways, err = route.Gateways(ctx); err != nil {
		return h, err
	}
	for _, c := range t.Containers {
		// A namespace that is gone breaks promises; it is no error here.
		_ = netns.Do(topology.NetnsPath(c.Name), func() error {
			list, err := sockets.Waiting("tcp")
			for _, s := range list {
				h.Listens[c.Name] = append(h.Listens[c.Name], s.AddrPort)
			}
			return err
		})
	}
	return h, h.lay(ctx, t)
}

func isGateway(t topology.Topology, ip netip.Addr) bool {
	for _, n := range t.Networks {
		if n.Gateway == ip || n.Gateway6 == ip {
			return true
		}
	}
	return false
}

// The ranges that the cable to the outside has its addresses of: that for
// benchmarks (RFC 2544), and a unique local prefix (RFC 4193).
var (
	pool4 = netip.MustParsePrefix("198.18.0.0/15")
	pool6 = netip.MustParsePrefix("fd77:198:18::/48")
)

// lay chooses addresses for the cable to the outside that meet no address and
// no route of the host.
func (h *Host) lay(ctx context.Context, t topology.Topology) error {
	taken, err := route.Taken(ctx)
	if err != nil {
		return err
	}
	pools := []netip.Prefix{pool4}
	for _, n := range t.Networks {
		if _, err := os.Stat("/proc/sys/net/ipv6"); n.IPv6 && err == nil {
			pools = []netip.Prefix{pool4, pool6}
		}
	}
	for _, pool := range pools {
		near, ok := free(pool, taken)
		if !ok {
			return fail.New(fail.Conflict, "stand outside", "routes of this host cover all of %s", pool)
		}
		h.Near, h.Far = append(h.Near, near), append(h.Far, near.Next())
	}
	return nil
}

// free is the first address of the first four in a pool that meet nothing.
func free(pool netip.Prefix, taken []route.Prefix) (netip.Addr, bool) {
	const tries = 4096
	a := pool.Addr()
	for i := 0; i < tries; i++ {
		four := netip.PrefixFrom(a, a.BitLen()-2)
		hit := false
		for _, t := range taken {
			hit = hit || t.Prefix.Bits() > 1 && t.Prefix.Overlaps(four)
		}
		if !hit {
			return a.Next(), true
		}
		a = a.Next().Next().Next().Next()
	}
	return a, false
}

// Stage are the facts of the outside: a namespace on a cable of its own, with
// routes to everything by the host, even to its loopback address. It is what an
// ill-meaning neighbour on the host's network would set up.
func (h Host) Stage() []fact.Fact {
	facts := []fact.Fact{
		netns.Named{Path: outsideNetns},
		veth.Pair{Name: nearLink, Alias: "cnet verify", Peer: farLink, PeerNetns: outsideNetns},
		route.NoAddrGen{Link: nearLink},
		route.NoAddrGen{Netns: outsideNetns, Link: farLink},
	}
	for i, near := range h.Near {
		bits := near.BitLen() - 2
		facts = append(facts,
			route.Address{Link: nearLink, Prefix: netip.PrefixFrom(near, bits)},
			route.Address{Netns: outsideNetns, Link: farLink, Prefix: netip.PrefixFrom(h.Far[i], bits)})
	}
	// Its own loopback link stays down: the host's is to be called.
	facts = append(facts,
		route.Up{Link: nearLink},
		route.Up{Netns: outsideNetns, Link: farLink},
		sysctl.Setting{Netns: outsideNetns, Name: "net.ipv4.conf.all.route_localnet", Value: "1"})
	for _, near := range h.Near {
		facts = append(facts, route.Route{Netns: outsideNetns, Via: near, Link: farLink})
	}
	return append(facts, route.Route{Netns: outsideNetns, Dst: netip.MustParsePrefix("127.0.0.0/8"), Via: h.Near[0], Link: farLink})
}

// Await waits until packets pass between the host and the outside: the kernel
// begins to use a link a moment after it is up. Where a firewall lets no echo
// pass, it waits in vain, and the calls themselves tell.
func (h Host) Await(ctx context.Context, wait time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for _, far := range h.Far {
		_ = echo(ctx, pathOf(TheHost), far)
	}
}

// pathOf is the namespace of a place; that of the host is "".
func pathOf(name string) string {
	switch name {
	case TheHost:
		return ""
	case TheOutside:
		return outsideNetns
	}
	return topology.NetnsPath(name)
}

// missing says that a place is not there.
func missing(name string) error {
	if path := pathOf(name); path != "" && netns.Check(path) != nil {
		return fmt.Errorf("the namespace of %s is not there", name)
	}
	return nil
}
