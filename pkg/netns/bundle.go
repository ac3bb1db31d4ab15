package netns

import (
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// bundle is links of one namespace that are to go together.
type bundle struct {
	conn  *conn
	links []knownLink
	group uint32 // that no other link is in
}

// knownLink is what one must know of a link to delete it.
type knownLink struct {
	index        int32
	flags, group uint32
	name, alias  string
}

// bundle looks which of the links are there, and for a group for them.
func (c *conn) bundle(links []OwnLink) (bundle, error) {
	b := bundle{conn: c}
	there, err := c.look(links)
	if err != nil {
		return b, err
	}
	alias := make(map[string]string, len(links))
	for _, l := range links {
		alias[l.Name] = l.Alias
	}
	taken := make(map[uint32]bool)
	for _, l := range there {
		if want, ok := alias[l.name]; ok && (l.alias == "" || l.alias == want) {
			b.links = append(b.links, l)
		} else {
			taken[l.group] = true
		}
	}
	for b.group = 'c'<<24 | 'n'<<16 | 'e'<<8 | 't'; taken[b.group]; {
		b.group++
	}
	return b, nil
}

// look returns the link asked for or, where it is several, all that there are:
// none of the others must be in their group.
func (c *conn) look(links []OwnLink) ([]knownLink, error) {
	attrs, flags := []*Attr{withoutStats()}, unix.NLM_F_DUMP
	if len(links) == 1 {
		attrs, flags = append(attrs, nameAttr(links[0].Name)), 0
	}
	replies, err := Retry(func() ([][]byte, error) {
		return c.send(unix.RTM_GETLINK, flags, nl.NewIfInfomsg(unix.AF_UNSPEC), attrs...)
	})
	if err != nil {
		return nil, err
	}
	there := make([]knownLink, len(replies))
	for i, r := range replies {
		if there[i], err = known(r); err != nil {
			return nil, err
		}
	}
	return there, nil
}

func known(reply []byte) (knownLink, error) {
	msg := nl.DeserializeIfInfomsg(reply)
	l := knownLink{index: msg.Index, flags: msg.Flags}
	attrs, err := nl.ParseRouteAttr(reply[msg.Len():])
	for _, a := range attrs {
		switch a.Attr.Type {
		case unix.IFLA_IFNAME:
			l.name = text(a.Value)
		case unix.IFLA_IFALIAS:
			l.alias = text(a.Value)
		case unix.IFLA_GROUP:
			l.group = nl.NativeEndian().Uint32(a.Value)
		}
	}
	return l, err
}

func text(value []byte) string { return strings.TrimRight(string(value), "\x00") }

// unplug takes the links down and puts them in their group.
func (b bundle) unplug() error {
	return b.each(func(l knownLink) (flags, group uint32) { return 0, b.group })
}

// plug makes the links as they were.
func (b bundle) plug() error {
	return b.each(func(l knownLink) (flags, group uint32) { return l.flags, l.group })
}

func (b bundle) each(be func(knownLink) (flags, group uint32)) error {
	for _, l := range b.links {
		msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
		flags, group := be(l)
		msg.Index, msg.Flags, msg.Change = l.index, flags, unix.IFF_UP
		var attrs []*Attr
		if len(b.links) > 1 {
			attrs = append(attrs, groupAttr(group))
		}
		if _, err := b.conn.send(unix.RTM_NEWLINK, 0, msg, attrs...); err != nil && !Gone(err) {
			return err
		}
	}
	return nil
}

// delete deletes the links by their group, or the only one by its number.
func (b bundle) delete() error {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	var attrs []*Attr
	if len(b.links) == 1 {
		msg.Index = b.links[0].index
	} else {
		attrs = append(attrs, groupAttr(b.group))
	}
	_, err := b.conn.send(unix.RTM_DELLINK, 0, msg, attrs...)
	return err
}

func groupAttr(group uint32) *Attr { return nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(group)) }
