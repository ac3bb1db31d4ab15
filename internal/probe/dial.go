package probe

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// dial connects to the first address of the host that answers. Each address
// that is left has an equal part of the time that is left; the first one's
// error counts.
func dial(ctx context.Context, t Target, source netip.Addr) (net.Conn, error) {
	ips, err := lookup(ctx, t.Host, source)
	if err != nil {
		return nil, err
	}
	var first error
	for i, ip := range ips {
		conn, err := dialOne(ctx, t, ip, source, len(ips)-i)
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

// dialOne makes its socket on the calling thread.
func dialOne(ctx context.Context, t Target, ip, source netip.Addr, share int) (net.Conn, error) {
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/time.Duration(share))
		defer cancel()
	}
	network, dialer := TCP, net.Dialer{KeepAlive: -1}
	if t.Scheme == UDP {
		network, dialer.Control = UDP, reportErrors
	}
	if source.IsValid() {
		from := netip.AddrPortFrom(source, 0)
		if network == UDP {
			dialer.LocalAddr = net.UDPAddrFromAddrPort(from)
		} else {
			dialer.LocalAddr = net.TCPAddrFromAddrPort(from)
		}
	}
	return dialer.DialContext(ctx, network, netip.AddrPortFrom(ip, t.Port).String())
}

// lookup is the addresses of a host, of the source's family if there is one.
func lookup(ctx context.Context, host string, source netip.Addr) ([]netip.Addr, error) {
	var ips []netip.Addr
	if ip, err := netip.ParseAddr(host); err == nil {
		ips = []netip.Addr{ip}
	} else {
		resolver := net.Resolver{PreferGo: true}
		if ips, err = resolver.LookupNetIP(ctx, "ip", host); err != nil {
			return nil, err
		}
	}
	var usable []netip.Addr
	for _, ip := range ips {
		ip = ip.Unmap()
		if !source.IsValid() || source.Unmap().Is4() == ip.Is4() {
			usable = append(usable, ip)
		}
	}
	if len(usable) == 0 {
		return nil, errFamily
	}
	return usable, nil
}

// reportErrors lets a UDP socket hear of every ICMP error, and of a neighbour
// who does not answer; otherwise it hears of refusals only: ip(7), IP_RECVERR.
func reportErrors(network, _ string, raw syscall.RawConn) (err error) {
	level, name := unix.IPPROTO_IP, unix.IP_RECVERR
	if network == "udp6" {
		level, name = unix.IPPROTO_IPV6, unix.IPV6_RECVERR
	}
	if failed := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), level, name, 1) }); failed != nil {
		return failed
	}
	return err
}
