package bridge

import (
	"context"
	"errors"
	"syscall"

	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// flag is a switch of a port that is on or off: one attribute of the part of a
// link message that belongs to the port. Source: "bridge_slave" in ip-link(8).
type flag struct {
	netns, link string
	attr        int    // IFLA_BRPORT_...
	word        string // as bridge(8) calls it
}

func (f flag) set(ctx context.Context, on bool) error {
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_SLAVE_KIND, nl.ZeroTerminated("bridge"))
	info.AddRtAttr(nl.IFLA_INFO_SLAVE_DATA, nil).AddRtAttr(f.attr, bit(on))
	return netns.SetLink(ctx, f.netns, f.link, 0, 0, info)
}

// clear turns the flag off. A link that is no port has no flags.
func (f flag) clear(ctx context.Context) error {
	err := f.set(ctx, false)
	if netns.Gone(err) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) {
		return nil
	}
	return err
}

func (f flag) probe(ctx context.Context) (fact.Truth, error) {
	_, attrs, err := netns.LinkAttrs(ctx, f.netns, f.link)
	if netns.Gone(err) {
		return fact.False(), nil
	}
	if err != nil {
		return fact.Truth{}, err
	}
	value, ok := dig(attrs, unix.IFLA_LINKINFO, nl.IFLA_INFO_SLAVE_DATA, f.attr)
	if ok && value[0] == 0 {
		return fact.Mendable("%s of %s is off", f.word, netns.SayLink(f.netns, f.link)), nil
	}
	return fact.When(ok), nil
}

func (f flag) commands(v fact.Verb) []fact.Command {
	switch v {
	case fact.Make, fact.Mend:
		return []fact.Command{netns.Bridge(f.netns, "link", "set", "dev", f.link, f.word, "on")}
	case fact.Break:
		return []fact.Command{netns.Bridge(f.netns, "link", "set", "dev", f.link, f.word, "off")}
	}
	return []fact.Command{netns.Bridge(f.netns, "-d", "link", "show", "dev", f.link)}
}

// dig follows a path of nested attributes down to a value.
func dig(attrs []syscall.NetlinkRouteAttr, path ...int) ([]byte, bool) {
	for _, a := range attrs {
		if int(a.Attr.Type&^unix.NLA_F_NESTED) != path[0] {
			continue
		}
		if len(path) == 1 {
			return a.Value, true
		}
		inner, err := nl.ParseRouteAttr(a.Value)
		if err != nil {
			return nil, false
		}
		return dig(inner, path[1:]...)
	}
	return nil, false
}

func bit(on bool) []byte {
	if on {
		return nl.Uint8Attr(1)
	}
	return nl.Uint8Attr(0)
}
