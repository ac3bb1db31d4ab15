package bridge

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Filtered is a bridge whose frames are shown to iptables even when they stay
// within the bridge, whatever the host-wide setting bridge-nf-call-iptables says.
// With IPv6 also to ip6tables. By hand:
//
//	ip link set dev cnet-lab type bridge nf_call_iptables 1 nf_call_ip6tables 1
//
// It works only where the kernel module br_netfilter is loaded.
// Source: "bridge" in ip-link(8).
type Filtered struct {
	Bridge string     `json:"bridge"`
	IPv6   bool       `json:"ipv6,omitempty"`
	Netns  string     `json:"netns,omitempty"` // path; "" is the host
	Of     []fact.Key `json:"of,omitempty"`    // what it goes with
}

func (f Filtered) Key() fact.Key {
	return fact.Key{Kind: "bridge.filtered", Netns: f.Netns, Name: f.Bridge}
}

func (f Filtered) Within() []fact.Key { return f.Of }

func (f Filtered) Say() string {
	return fmt.Sprintf("Frames within bridge %s pass the host's firewall.", netns.SayLink(f.Netns, f.Bridge))
}

func (f Filtered) Why() string {
	return "Packets between containers of the network would bypass iptables: a published port would not answer to a neighbour."
}

func (f Filtered) Need() string { return "br_netfilter" }

// Ready fails with EOPNOTSUPP on a host without br_netfilter: the kernel then
// takes the setting, and does nothing.
func (f Filtered) Ready() error {
	if _, err := os.Stat("/proc/sys/net/bridge"); err != nil {
		return fmt.Errorf("br_netfilter is not loaded (modprobe br_netfilter): %w", unix.EOPNOTSUPP)
	}
	return nil
}

func (f Filtered) Probe(ctx context.Context) (fact.Truth, error) {
	if err := f.Ready(); err != nil {
		return fact.Other("%v", err), nil
	}
	_, attrs, err := netns.LinkAttrs(ctx, f.Netns, f.Bridge)
	if netns.Gone(err) {
		return fact.False(), nil
	}
	if err != nil {
		return fact.Truth{}, err
	}
	for _, t := range f.tables() {
		value, ok := dig(attrs, unix.IFLA_LINKINFO, nl.IFLA_INFO_DATA, t.attr)
		if !ok {
			return fact.Other("%s has no %s", f.Bridge, t.word), nil
		}
		if value[0] != 1 {
			return fact.Mendable("%s is %d, not 1", t.word, value[0]), nil
		}
	}
	return fact.True(), nil
}

func (f Filtered) Make(ctx context.Context) error { return f.set(ctx, true) }

// Mend turns the flags on.
func (f Filtered) Mend(ctx context.Context) error { return f.Make(ctx) }

// Break does nothing to a link that is no bridge any more.
func (f Filtered) Break(ctx context.Context) error {
	if err := f.set(ctx, false); err != nil && !netns.Gone(err) && !errors.Is(err, unix.EOPNOTSUPP) {
		return err
	}
	return nil
}

func (f Filtered) set(ctx context.Context, on bool) error {
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.ZeroTerminated("bridge"))
	data := info.AddRtAttr(nl.IFLA_INFO_DATA, nil)
	for _, t := range f.tables() {
		data.AddRtAttr(t.attr, bit(on))
	}
	return netns.SetLink(ctx, f.Netns, f.Bridge, 0, 0, info)
}

func (f Filtered) Commands(v fact.Verb) []fact.Command {
	if v == fact.Show {
		return []fact.Command{netns.IP(f.Netns, "-d", "link", "show", "dev", f.Bridge)}
	}
	value := "1"
	if v == fact.Break {
		value = "0"
	}
	w := []string{"link", "set", "dev", f.Bridge, "type", "bridge"}
	for _, t := range f.tables() {
		w = append(w, t.word, value)
	}
	return []fact.Command{netns.IP(f.Netns, w...)}
}

type table struct {
	attr int
	word string
}

func (f Filtered) tables() []table {
	t := []table{{nl.IFLA_BR_NF_CALL_IPTABLES, "nf_call_iptables"}}
	if f.IPv6 {
		t = append(t, table{nl.IFLA_BR_NF_CALL_IP6TABLES, "nf_call_ip6tables"})
	}
	return t
}
