package netns

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// SetLink changes the link called link in the namespace at path by one
// message, as `ip link set dev LINK ...` does: the kernel finds the link by its
// name. The bits of mask in its flags become those of flags.
func SetLink(ctx context.Context, path, link string, flags, mask uint32, attrs ...*Attr) error {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Flags, msg.Change = flags, mask
	_, err := Send(ctx, path, unix.RTM_NEWLINK, 0, msg, append(attrs, nameAttr(link))...)
	if err != nil {
		return fmt.Errorf("change link %s in %s: %w", link, Say(path), err)
	}
	return nil
}

// FindLink returns the link called link in the namespace at path, or nil if it
// or its namespace is not there.
func FindLink(ctx context.Context, path, link string) (found netlink.Link, err error) {
	err = With(ctx, path, func(h *netlink.Handle) error {
		var err error
		found, err = Retry(func() (netlink.Link, error) { return h.LinkByName(link) })
		return err
	})
	if Gone(err) {
		return nil, nil
	}
	return found, err
}

// LinkAttrs asks for the link called link in the namespace at path, and
// returns its index and attributes as the kernel sent them.
func LinkAttrs(ctx context.Context, path, link string) (int, []syscall.NetlinkRouteAttr, error) {
	msg, attrs, err := getLink(ctx, path, link)
	if err != nil {
		return 0, nil, err
	}
	parsed, err := nl.ParseRouteAttr(attrs)
	return int(msg.Index), parsed, err
}

// LinkFlags are the flags of a link (IFF_UP and so on, see netdevice(7)).
func LinkFlags(ctx context.Context, path, link string) (uint32, error) {
	msg, _, err := getLink(ctx, path, link)
	if err != nil {
		return 0, err
	}
	return msg.Flags, nil
}

// Index is the number of the link called link in the namespace at path.
func Index(ctx context.Context, path, link string) (int, error) {
	msg, _, err := getLink(ctx, path, link)
	if err != nil {
		return 0, err
	}
	return int(msg.Index), nil
}

func getLink(ctx context.Context, path, link string) (*nl.IfInfomsg, []byte, error) {
	replies, err := Send(ctx, path, unix.RTM_GETLINK, 0, nl.NewIfInfomsg(unix.AF_UNSPEC), nameAttr(link), withoutStats())
	if err == nil && len(replies) == 0 {
		err = unix.ENODEV
	}
	if err != nil {
		return nil, nil, fmt.Errorf("look up link %s in %s: %w", link, Say(path), err)
	}
	msg := nl.DeserializeIfInfomsg(replies[0])
	return msg, replies[0][msg.Len():], nil
}

func nameAttr(link string) *Attr {
	return nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(link))
}

// withoutStats asks for a link without its counters, which are half of the answer.
func withoutStats() *Attr {
	const skipStats = 1 << 3 // RTEXT_FILTER_SKIP_STATS
	return nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(skipStats))
}

// OwnedLinks returns the links of the host that are of this kind ("veth") and
// whose alias says that they are cnet's ("cnet ...").
func OwnedLinks(ctx context.Context, kind string) (owned []*netlink.LinkAttrs, err error) {
	err = With(ctx, "", func(h *netlink.Handle) error {
		links, err := Retry(h.LinkList)
		if err != nil {
			return fmt.Errorf("list links: %w", err)
		}
		for _, l := range links {
			if l.Type() == kind && strings.HasPrefix(l.Attrs().Alias, "cnet ") {
				owned = append(owned, l.Attrs())
			}
		}
		return nil
	})
	return owned, err
}

// Gone reports whether err says that a link, or the namespace that it should be
// in, is not there.
func Gone(err error) bool {
	var notFound netlink.LinkNotFoundError
	return errors.As(err, &notFound) || errors.Is(err, unix.ENODEV) || errors.Is(err, fs.ErrNotExist) ||
		errors.Is(err, ErrNotNamespace) // a file that a killed process had no time to mount on
}

// Retry calls list, which reads a table of the kernel, again while the table
// changed under its hands.
func Retry[T any](list func() (T, error)) (T, error) {
	const attempts = 20
	for i := 1; ; i++ {
		v, err := list()
		if !errors.Is(err, netlink.ErrDumpInterrupted) || i == attempts {
			return v, err
		}
	}
}
