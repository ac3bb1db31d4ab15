package nat

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/pkg/fact"
)

// forget deletes what the kernel remembers of the UDP ports among values. A
// flow keeps the translation it began with for as long as packets come, so one
// that was there before would not see a change. By hand:
//
//	conntrack -D -f ipv4 -p udp --orig-port-dst 8080
func forget(values []value) error {
	ports := make(map[netlink.InetFamily]flows)
	for _, v := range values {
		if p, ok := v.(Publish); ok && p.Proto == "udp" {
			ports[p.inet()] = append(ports[p.inet()], p)
		}
	}
	for family, list := range ports {
		if err := list.forget(family); err != nil {
			return fmt.Errorf("forget the UDP flows of %s: %w", list[0].host(), err)
		}
	}
	return nil
}

// flows matches the flows to any of some published ports.
type flows []Publish

func (f flows) forget(family netlink.InetFamily) error {
	const tries = 3 // a dump may be interrupted by a change
	var err error
	for i := 0; i < tries; i++ {
		_, err = netlink.ConntrackDeleteFilters(netlink.ConntrackTable, family, f)
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	if errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil // a kernel without ctnetlink cannot be asked to forget
	}
	return err
}

// MatchConntrackFlow reports whether the flow was first sent to one of the ports.
func (f flows) MatchConntrackFlow(flow *netlink.ConntrackFlow) bool {
	to := flow.Forward
	if to.Protocol != unix.IPPROTO_UDP {
		return false
	}
	for _, p := range f {
		if p.HostPort <= to.DstPort && to.DstPort <= p.last() &&
			(p.anyHost() || to.DstIP.Equal(p.HostIP.AsSlice())) {
			return true
		}
	}
	return false
}

func (p Publish) inet() netlink.InetFamily {
	if p.IPv6 {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

// forgetCommand is the same by hand. It fails when there was no such flow. The
// command takes one port at a time.
func (p Publish) forgetCommand() fact.Command {
	family := "ipv4"
	if p.IPv6 {
		family = "ipv6"
	}
	argv := []string{"conntrack", "-D", "-f", family, "-p", "udp"}
	if !p.anyHost() {
		argv = append(argv, "-d", p.HostIP.String())
	}
	argv = append(argv, "--orig-port-dst")
	if p.last() == p.HostPort {
		return fact.Command{Argv: append(argv, fmt.Sprint(p.HostPort)), MayFail: true}
	}
	loop := fmt.Sprintf("for port in $(seq %d %d); do %s $port; done", p.HostPort, p.last(), fact.Cmd(argv...))
	return fact.Command{Argv: []string{"sh", "-c", loop}, MayFail: true}
}
