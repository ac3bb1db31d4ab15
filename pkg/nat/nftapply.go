package nat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/pkg/fact"
)

// nftChange is one change to an object: a message, or elements of a set, which
// go together in one with their neighbours.
type nftChange struct {
	object   nftObject
	message  nftMessage
	elements []attrs
}

func changeOf(o nftObject, kind, flags uint16, body attrs) nftChange {
	return nftChange{object: o, message: nftMessage{kind, flags, body}}
}

// adding are the changes that add objects. The kernel knows a thing by its name
// only after the message that made it.
func adding(objects []nftObject) []nftChange {
	objects = slices.Clone(objects)
	ranked := ranks(objects)
	sort.SliceStable(objects, func(i, j int) bool { return ranked(objects[i]) < ranked(objects[j]) })
	list := make([]nftChange, len(objects))
	for i, o := range objects {
		list[i] = o.add()
	}
	return list
}

// ranks orders objects by their rank, and elements by the place of their set among
// those of objects: those of one set go together.
func ranks(objects []nftObject) func(nftObject) int {
	sets := make(map[string]int)
	for _, o := range objects {
		if e, ok := o.(nftElement); ok && sets[e.set.name] == 0 {
			sets[e.set.name] = len(sets) + 1
		}
	}
	return func(o nftObject) int {
		if e, ok := o.(nftElement); ok {
			return e.rank() + sets[e.set.name]
		}
		return o.rank()
	}
}

// deleting are the changes that delete objects, the last first, after what is in
// them: that may lead to a chain that goes. If the table goes, all goes with it.
func deleting(objects []nftObject) (list []nftChange) {
	if i := slices.IndexFunc(objects, func(o nftObject) bool { return o.rank() == 0 }); i >= 0 {
		return []nftChange{objects[i].del()}
	}
	objects = slices.Clone(objects)
	slices.Reverse(objects)
	ranked := ranks(objects)
	sort.SliceStable(objects, func(i, j int) bool { return ranked(objects[i]) > ranked(objects[j]) })
	emptied := make(map[string]bool)
	for _, o := range objects {
		switch o := o.(type) {
		case nftChain:
			list, emptied["chain "+o.name] = append(list, o.flush()), true
		case nftSet:
			list, emptied["set "+o.name] = append(list, o.flush()), true
		}
	}
	for _, o := range objects {
		if c := o.del(); c.object != nil && !emptied[goesWith(o)] {
			list = append(list, c)
		}
	}
	return list
}

// exchanging are the changes from old objects to fresh ones. What is in both stays,
// so that a packet under way finds it; a chain that stays with other rules is emptied.
func exchanging(old, fresh []nftObject) (list []nftChange) {
	was, is := contents(old), contents(fresh)
	stays := func(o nftObject) bool {
		before, there := was[identity(o)]
		after, wanted := is[identity(o)]
		_, rule := o.(nftRule)
		return there && wanted && (!rule || before == after)
	}
	for _, o := range old {
		if c, ok := o.(nftChain); ok && stays(c) && was[identity(c)] != is[identity(c)] {
			list = append(list, c.flush())
		}
	}
	list = append(list, deleting(slices.DeleteFunc(slices.Clone(old), stays))...)
	return append(list, adding(slices.DeleteFunc(slices.Clone(fresh), stays))...)
}

// contents are the objects, by what they are, with the rules of those that have some.
func contents(objects []nftObject) map[string]string {
	m := make(map[string]string, len(objects))
	for _, o := range objects {
		text := m[identity(o)]
		if r, ok := o.(nftRule); ok {
			text += r.text() + "\n"
		}
		m[identity(o)] = text
	}
	return m
}

// identity is the same for two objects that say the same, and for a chain and its rules.
func identity(o nftObject) string {
	switch o := o.(type) {
	case nftChain:
		return o.String()
	case nftRule:
		return nftChain{name: o.chain}.String()
	}
	return strings.Join(o.addWords(), " ")
}

// goesWith is what an object is deleted with.
func goesWith(o nftObject) string {
	switch o := o.(type) {
	case nftElement:
		return "set " + o.set.name
	case nftNumbered:
		return "chain " + o.chain
	}
	return ""
}

// apply makes changes in one transaction, or in as few as the kernel lets it:
// the room of a socket is bounded for all but root of the machine. It counts
// those that were done. It is short, and is not cut off when ctx ends.
func (l *nftLink) apply(ctx context.Context, changes []nftChange) (done int, err error) {
	if len(changes) == 0 {
		return 0, nil
	}
	messages := pack(changes)
	size := 2 * nftHeader
	for _, m := range messages {
		size += m.size()
	}
	room := l.room(size)
	for len(messages) > 0 {
		n, size := 0, 2*nftHeader
		for n < len(messages) && (n == 0 || size+messages[n].size() <= room) {
			size += messages[n].size()
			n++
		}
		if err := fact.Reach(ctx, "nf_tables"); err != nil {
			return done, err
		}
		if err := l.commit(messages[:n]); err != nil {
			return done, blame(messages[:n], err)
		}
		messages, done = messages[n:], done+1
	}
	return done, nil
}

// nftPacket is a message, and which object is at which of its bytes.
type nftPacket struct {
	nftMessage
	about []nftObject
	ends  []int
}

func (p nftPacket) size() int { return nftHeader + len(p.body) }

// maxElements bounds the bytes of the elements in a message: the length of an
// attribute has 16 bits.
const maxElements = 60000

// pack puts the elements of a set in as few messages as they fit in.
func pack(changes []nftChange) (list []nftPacket) {
	for i := 0; i < len(changes); {
		c := changes[i]
		e, ok := c.object.(nftElement)
		if !ok {
			list = append(list, nftPacket{nftMessage: c.message, about: []nftObject{c.object}})
			i++
			continue
		}
		p := nftPacket{nftMessage: c.message}
		prefix := inTable(unix.NFTA_SET_ELEM_LIST_TABLE).text(unix.NFTA_SET_ELEM_LIST_SET, e.set.name)
		var elements attrs
		for ; i < len(changes) && len(elements) < maxElements; i++ {
			next, ok := changes[i].object.(nftElement)
			if !ok || next.set.name != e.set.name || changes[i].message.kind != c.message.kind {
				break
			}
			for _, one := range changes[i].elements {
				elements = elements.nest(unix.NFTA_LIST_ELEM, one)
			}
			p.about = append(p.about, next)
			p.ends = append(p.ends, nftHeader+len(prefix)+unix.SizeofNlAttr+len(elements))
		}
		p.body = prefix.nest(unix.NFTA_SET_ELEM_LIST_ELEMENTS, elements)
		list = append(list, p)
	}
	return list
}

// blame says which object was in the way of a change.
func blame(messages []nftPacket, err error) error {
	var f *nftFailure
	if !errors.As(err, &f) || f.message < 0 || f.message >= len(messages) {
		return fmt.Errorf("nf_tables: %w", err)
	}
	p := messages[f.message]
	i := slices.IndexFunc(p.ends, func(end int) bool { return f.offset < end })
	return fmt.Errorf("%s: %w", p.about[max(i, 0)], err)
}
