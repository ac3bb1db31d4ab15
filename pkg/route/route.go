package route

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// MaxMTU is the largest MTU of a route, in bytes: of a larger one the kernel makes
// this (net/ipv4/metrics.c).
const MaxMTU = 65535 - 15

// Route is a way to the addresses of Dst in the main table: by the gateway Via,
// over the link Link, or both. By hand:
//
//	ip -n web route add default via 10.77.0.1 dev eth0
//	ip route add 10.77.9.2/32 dev web-eth0 scope link
//	ip -n web route add default via 10.77.0.1 dev eth0 mtu 1500
//	ip route add 10.76.0.1/32 dev svc0 src 10.77.0.1
//
// A zero Dst, or one of length 0, is the default route; the family is that of
// Dst, else of Via, else IPv4. Scope is "" or "link"; a route without a gateway
// is of scope link in any case. Source: ip-route(8).
type Route struct {
	Netns string       `json:"netns,omitempty"` // path; "" is the host
	Dst   netip.Prefix `json:"dst"`
	Via   netip.Addr   `json:"via"`
	Link  string       `json:"link,omitempty"`
	Src   netip.Addr   `json:"src,omitempty,omitzero"` // that the host's own packets have
	Scope string       `json:"scope,omitempty"`
	MTU   int          `json:"mtu,omitempty"`
	Of    []fact.Key   `json:"of,omitempty"` // what it goes with
	// With are facts that it is not as it was without: the address Src.
	With []fact.Key `json:"with,omitempty"`
}

func (r Route) Key() fact.Key {
	return fact.Key{Kind: "route.route", Netns: r.Netns, Name: r.dst().String()}
}

func (r Route) Within() []fact.Key { return r.Of }

func (r Route) Needs() []fact.Key { return r.With }

func (r Route) Say() string {
	to := "Packets for " + r.dst().String()
	if r.isDefault() {
		to = "Packets for everywhere else"
		if r.dst().Addr().Is6() {
			to = "IPv6 packets for everywhere else"
		}
	}
	if r.Netns != "" {
		to += " leave " + netns.Say(r.Netns)
	} else {
		to += " leave"
	}
	if r.Via.IsValid() {
		to += " by gateway " + r.Via.String()
	}
	if r.Link != "" {
		to += " over " + r.Link
	}
	if r.Src.IsValid() {
		to += " with source address " + r.Src.String()
	}
	if r.MTU != 0 {
		to += fmt.Sprintf(", none larger than %d bytes", r.MTU)
	}
	return to + "."
}

// Creates marks a [fact.Creator].
func (Route) Creates() {}

func (r Route) Why() string {
	if r.isDefault() {
		return "Only neighbours on the same network could be reached; all others fail with ENETUNREACH."
	}
	return fmt.Sprintf("%s could not be reached, or by a wrong way.", r.dst())
}

// dst is Dst made plain: with no host bits, and the default of a family spelt out.
func (r Route) dst() netip.Prefix {
	switch {
	case r.Dst.IsValid():
		return r.Dst.Masked()
	case r.Via.Is6():
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

func (r Route) isDefault() bool { return r.dst().Bits() == 0 }

func (r Route) Probe(ctx context.Context) (fact.Truth, error) {
	index, err := r.index(ctx)
	var routes []netlink.Route
	if err == nil {
		routes, err = r.list(ctx)
	}
	if netns.Gone(err) {
		return fact.False(), nil
	}
	if err != nil {
		return fact.Truth{}, err
	}
	truth := fact.False()
	for _, got := range routes {
		if toPrefix(got.Dst) != r.dst() {
			continue
		}
		via, _ := netip.AddrFromSlice(got.Gw)
		switch via = via.Unmap(); {
		case via != r.Via.Unmap():
			truth = fact.Mendable("gateway for %s is %s, not %s", r.dst(), orNone(via), orNone(r.Via))
		case index != 0 && got.LinkIndex != index:
			truth = fact.Mendable("route to %s does not lead over %s", r.dst(), r.Link)
		case r.dst().Addr().Is4() && got.Scope != r.scope():
			truth = fact.Mendable("scope of the route to %s is %s, not %s", r.dst(), got.Scope, r.scope())
		case r.Src.IsValid() && !got.Src.Equal(r.Src.AsSlice()):
			truth = fact.Mendable("source address on the route to %s is not %s", r.dst(), r.Src)
		case got.MTU != r.MTU:
			truth = fact.Mendable("MTU of the route to %s is %s, not %s", r.dst(), orLink(got.MTU), orLink(r.MTU))
		default:
			return fact.True(), nil
		}
	}
	return truth, nil
}

func (r Route) list(ctx context.Context) (routes []netlink.Route, err error) {
	err = netns.With(ctx, r.Netns, func(h *netlink.Handle) error {
		var err error
		routes, err = netns.Retry(func() ([]netlink.Route, error) {
			return h.RouteList(nil, family(r.dst().Addr()))
		})
		return err
	})
	return routes, err
}

func orNone(a netip.Addr) string {
	if !a.IsValid() {
		return "none"
	}
	return a.String()
}

func orLink(mtu int) string {
	if mtu == 0 {
		return "that of the link"
	}
	return strconv.Itoa(mtu)
}

// Make fails with EEXIST if there is a route to the same destination.
func (r Route) Make(ctx context.Context) error {
	if err := r.send(ctx, unix.RTM_NEWROUTE, netns.Create); err != nil {
		return fmt.Errorf("add route to %s in %s: %w", r.dst(), netns.Say(r.Netns), err)
	}
	return nil
}

// Mend puts the route in the place of the one that is there.
func (r Route) Mend(ctx context.Context) error {
	if err := r.send(ctx, unix.RTM_NEWROUTE, netns.Replace); err != nil {
		return fmt.Errorf("replace the route to %s in %s: %w", r.dst(), netns.Say(r.Netns), err)
	}
	return nil
}

// Break deletes the route to the destination over the link, by whatever gateway
// it leads now.
func (r Route) Break(ctx context.Context) error {
	if r.Link != "" {
		r.Via = netip.Addr{}
	}
	r.MTU = 0
	err := r.send(ctx, unix.RTM_DELROUTE, 0)
	if err != nil && !netns.Gone(err) && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("delete route to %s in %s: %w", r.dst(), netns.Say(r.Netns), err)
	}
	return nil
}

func (r Route) scope() netlink.Scope {
	if r.Scope == "link" || !r.Via.IsValid() {
		return netlink.SCOPE_LINK
	}
	return netlink.SCOPE_UNIVERSE
}

func (r Route) Commands(v fact.Verb) []fact.Command {
	verb := map[fact.Verb]string{fact.Make: "add", fact.Break: "del", fact.Show: "show", fact.Mend: "replace"}[v]
	w := []string{"route", verb, r.dst().String()}
	if r.isDefault() {
		w[2] = "default"
	}
	if r.dst().Addr().Is6() {
		w = append([]string{"-6"}, w...)
	}
	if v == fact.Show {
		return []fact.Command{netns.IP(r.Netns, w...)}
	}
	if r.Via.IsValid() && (v != fact.Break || r.Link == "") {
		w = append(w, "via", r.Via.String())
	}
	if r.Link != "" {
		w = append(w, "dev", r.Link)
	}
	if r.Src.IsValid() && v != fact.Break {
		w = append(w, "src", r.Src.String())
	}
	if r.Scope != "" && v != fact.Break {
		w = append(w, "scope", r.Scope)
	}
	if r.MTU != 0 && v != fact.Break {
		w = append(w, "mtu", strconv.Itoa(r.MTU))
	}
	return []fact.Command{netns.IP(r.Netns, w...)}
}
