package netns

import (
	"context"
	"fmt"
	"strings"

	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// OwnLink is a link that one may delete, unless it bears another alias than this.
type OwnLink struct{ Netns, Name, Alias string }

// DeleteLinks deletes links. One that is not there is fine, and one by the name
// that has another alias is another's, and stays.
//
// To delete a link, the kernel waits until no processor has it in its hands:
// some 20 ms, for a thousand links of one message as for one. So the links of a
// namespace are put in a group that no other link is in, and the group is deleted:
//
//	ip link set dev web-eth0 group 1668179316
//	ip link set dev db-eth0 group 1668179316
//	ip link delete group 1668179316
//
// Source: "group" in ip-link(8), RCU in the kernel's documentation.
func DeleteLinks(ctx context.Context, links ...OwnLink) error {
	in := make(map[string][]OwnLink)
	for _, l := range links {
		in[l.Netns] = append(in[l.Netns], l)
	}
	for path, list := range in {
		if err := deleteIn(ctx, path, list); err != nil && !Gone(err) {
			return fmt.Errorf("delete %s in %s: %w", sayAll(list), Say(path), err)
		}
	}
	return nil
}

func sayAll(links []OwnLink) string {
	if len(links) == 1 {
		return "link " + links[0].Name
	}
	return fmt.Sprintf("%d links from %s to %s", len(links), links[0].Name, links[len(links)-1].Name)
}

func deleteIn(ctx context.Context, path string, links []OwnLink) error {
	there, err := look(ctx, path, links)
	if err != nil {
		return err
	}
	alias := make(map[string]string, len(links))
	for _, l := range links {
		alias[l.Name] = l.Alias
	}
	var own []knownLink
	taken := make(map[uint32]bool)
	for _, l := range there {
		if want, ok := alias[l.name]; ok && (l.alias == "" || l.alias == want) {
			own = append(own, l)
		} else {
			taken[l.group] = true
		}
	}
	switch len(own) {
	case 0:
		return nil
	case 1:
		return deleteLink(ctx, path, own[0].index)
	}
	group := uint32(firstGroup)
	for taken[group] {
		group++
	}
	return deleteTogether(ctx, path, own, group)
}

// firstGroup is "cnet" as a number.
const firstGroup = 'c'<<24 | 'n'<<16 | 'e'<<8 | 't'

// deleteTogether puts links in a group that is empty, and deletes the group. If
// that fails they are back in their own.
func deleteTogether(ctx context.Context, path string, links []knownLink, group uint32) error {
	err := regroup(ctx, path, links, func(knownLink) uint32 { return group })
	if err == nil {
		err = fact.Reach(ctx, fmt.Sprintf("delete group %d", group))
	}
	if err == nil {
		_, err = send(ctx, path, unix.RTM_DELLINK, nl.NewIfInfomsg(unix.AF_UNSPEC), []*Attr{groupAttr(group)})
	}
	if err != nil && !Gone(err) {
		_ = regroup(ctx, path, links, func(l knownLink) uint32 { return l.group })
	}
	return err
}

func regroup(ctx context.Context, path string, links []knownLink, group func(knownLink) uint32) error {
	for _, l := range links {
		msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
		msg.Index = int32(l.index)
		_, err := send(ctx, path, unix.RTM_NEWLINK, msg, []*Attr{groupAttr(group(l))})
		if err != nil && !Gone(err) {
			return err
		}
	}
	return nil
}

func groupAttr(group uint32) *Attr { return nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(group)) }

func deleteLink(ctx context.Context, path string, index int) error {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	_, err := send(ctx, path, unix.RTM_DELLINK, msg, nil)
	return err
}

// knownLink is what one must know of a link to delete it.
type knownLink struct {
	index       int
	name, alias string
	group       uint32
}

// look returns the link asked for or, where it is several, all that are there.
func look(ctx context.Context, path string, links []OwnLink) ([]knownLink, error) {
	if len(links) == 1 {
		index, attrs, err := LinkAttrs(ctx, path, links[0].Name)
		return []knownLink{known(index, attrs)}, err
	}
	replies, err := Retry(func() ([][]byte, error) {
		return sendFlags(ctx, path, unix.RTM_GETLINK, unix.NLM_F_DUMP, nl.NewIfInfomsg(unix.AF_UNSPEC), []*Attr{withoutStats()})
	})
	there := make([]knownLink, len(replies))
	for i, r := range replies {
		msg := nl.DeserializeIfInfomsg(r)
		attrs, err := nl.ParseRouteAttr(r[msg.Len():])
		if err != nil {
			return nil, err
		}
		there[i] = known(int(msg.Index), attrs)
	}
	return there, err
}

func known(index int, attrs []routeAttr) knownLink {
	l := knownLink{index: index}
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
	return l
}

func text(value []byte) string { return strings.TrimRight(string(value), "\x00") }
