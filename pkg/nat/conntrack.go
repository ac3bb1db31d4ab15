package nat

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
)

// flowing is a value by whose rules flows of UDP are led.
type flowing interface {
	value
	movesFlows(fact.Verb) bool
	leads(flow) bool
	misses(f flow, local []netip.Prefix) bool // began before its rules stood
}

// moveFlows lets the flows of UDP go where the rules say from now on, when some
// are gone and others have come. The kernel asks the rules for the first packet of
// a flow only, and a flow of UDP lasts for as long as packets come. A connection
// of TCP or SCTP has an end, and goes on as it began.
func moveFlows(ctx context.Context, gone, come []value) error {
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		old, fresh := moving(fact.Break, gone, family), moving(fact.Make, come, family)
		if len(old)+len(fresh) == 0 {
			continue
		}
		var local []netip.Prefix
		if len(fresh) > 0 {
			var err error
			if local, err = localAddresses(ctx, family); err != nil {
				return fmt.Errorf("look up the host's addresses: %w", err)
			}
		}
		err := forget(kind{family, unix.IPPROTO_UDP}, func(f flow) bool {
			leads := func(v flowing) bool { return v.leads(f) }
			misses := func(v flowing) bool { return v.misses(f, local) }
			return slices.ContainsFunc(old, leads) && !slices.ContainsFunc(fresh, leads) || slices.ContainsFunc(fresh, misses)
		})
		if err != nil {
			return fmt.Errorf("forget flows that go elsewhere now: %w", err)
		}
	}
	return nil
}

// moving are those of the values with which flows of the family go elsewhere.
func moving(verb fact.Verb, values []value, family uint8) (list []flowing) {
	for _, v := range values {
		if f, ok := v.(flowing); ok && f.on().inet() == family && f.movesFlows(verb) {
			list = append(list, f)
		}
	}
	return list
}

// movesFlows reports whether flows go elsewhere with the port.
func (p Publish) movesFlows(verb fact.Verb) bool {
	return p.Proto == "udp" && !(p.Inherited && verb == fact.Break)
}

func (o On) inet() uint8 {
	if o.IPv6 {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

// misses reports whether a flow to the port goes elsewhere.
func (p Publish) misses(f flow, local []netip.Prefix) bool {
	return p.at(f.orig.dst, f.orig.dstPort) && f.reply.src != p.To && among(local, f.orig.dst)
}

func among(local []netip.Prefix, ip netip.Addr) bool {
	return slices.ContainsFunc(local, func(l netip.Prefix) bool { return l.Contains(ip) })
}

// leads reports whether a flow goes to the container by way of the port.
func (p Publish) leads(f flow) bool {
	return p.at(f.orig.dst, f.orig.dstPort) && f.reply.src == p.To && f.orig.dst != p.To || p.hole(f)
}

// hole reports whether an answer that was still on its way when its flow was
// forgotten has begun it anew, from within. Where the port keeps its number, the
// masquerade gives it the addresses and ports that the caller knows, and lets
// the caller in.
func (p Publish) hole(f flow) bool {
	return p.Port == p.HostPort && p.at(f.reply.dst, f.reply.dstPort) &&
		f.orig.src == p.To && f.orig.srcPort == f.reply.dstPort && f.reply.dst != p.To
}

// at reports whether an address and port are those that are published.
func (p Publish) at(ip netip.Addr, port uint16) bool {
	return p.HostPort <= port && port <= p.last() && (p.anyHost() || ip == p.HostIP)
}

// localAddresses are what the kernel takes for the host itself, the type LOCAL
// of addrtype: 127.0.0.0/8 is one of them.
func localAddresses(ctx context.Context, family uint8) (local []netip.Prefix, err error) {
	err = netns.With(ctx, "", func(h *netlink.Handle) error {
		routes, err := netns.Retry(func() ([]netlink.Route, error) {
			return h.RouteListFiltered(int(family), &netlink.Route{Table: unix.RT_TABLE_LOCAL, Type: unix.RTN_LOCAL},
				netlink.RT_FILTER_TABLE|netlink.RT_FILTER_TYPE)
		})
		for _, r := range routes {
			if ip, ok := netip.AddrFromSlice(r.Dst.IP); ok {
				bits, _ := r.Dst.Mask.Size()
				local = append(local, netip.PrefixFrom(ip.Unmap(), bits))
			}
		}
		return err
	})
	return local, err
}

// moveCommands are the same by hand. They fail when there was no such flow.
func (p Publish) moveCommands(verb fact.Verb) []fact.Command {
	line := p.forgetting()
	if verb == fact.Mend {
		verb = fact.Make
	}
	at, back := "", ""
	if !p.anyHost() {
		at, back = " -d "+p.HostIP.String(), " -q "+p.HostIP.String()
	}
	switch {
	case verb == fact.Show:
		return nil
	case verb == fact.Make && p.anyHost():
		return []fact.Command{p.each(line + " -d $ip --orig-port-dst $port")}
	case verb == fact.Make:
		return []fact.Command{p.each(line + at + " --orig-port-dst $port")}
	}
	list := []fact.Command{p.each(line + at + " --orig-port-dst $port --dst-nat " + p.To.String())}
	if p.Port == p.HostPort {
		list = append(list, p.each(line+" -s "+p.To.String()+back+" --orig-port-src $port --reply-port-dst $port"))
	}
	return list
}

// forgetting is the command that forgets flows of UDP, without saying which.
func (o On) forgetting() string { return "conntrack -D -f " + strings.ToLower(o.family()) + " -p udp" }

// each is a command for each of the ports and, where it names one, for each
// address of the host: conntrack(8) takes one at a time.
func (p Publish) each(line string) fact.Command {
	loop := line
	if p.last() == p.HostPort {
		loop = strings.ReplaceAll(loop, "$port", fmt.Sprint(p.HostPort))
	} else {
		loop = fmt.Sprintf("for port in $(seq %d %d); do %s; done", p.HostPort, p.last(), loop)
	}
	if strings.Contains(line, "$ip") {
		family := map[bool]string{false: "-4", true: "-6"}[p.IPv6]
		loop = fmt.Sprintf(`for ip in $(ip %s route show table local type local | cut -d" " -f2); do %s; done`, family, loop)
	}
	if strings.Contains(loop, "$") {
		return fact.Command{Argv: []string{"sh", "-c", loop}, MayFail: true}
	}
	return fact.Command{Argv: strings.Fields(loop), MayFail: true}
}
