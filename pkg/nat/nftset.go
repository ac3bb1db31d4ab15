package nat

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// nftType is a type of data of nft(8). The number is of nft(8) too: the kernel
// keeps it, and nft needs it to print a set.
type nftType struct {
	name   string
	number uint32
	size   int
}

var (
	typeIPv4    = nftType{"ipv4_addr", 7, 4}
	typeIPv6    = nftType{"ipv6_addr", 8, 16}
	typeFamily  = nftType{"nf_proto", 2, 1}
	typeProto   = nftType{"inet_proto", 12, 1}
	typePort    = nftType{"inet_service", 13, 2}
	typeLink    = nftType{"ifname", 41, unix.IFNAMSIZ}
	typeSlot    = nftType{"numgen inc mod 2", 4, 4} // a whole number, which nft(8) names by what makes one
	typeVerdict = nftType{"verdict", 0xffffff00, 0}
)

// nftTypes are the types of a key or of data, one after the other.
type nftTypes []nftType

func (t nftTypes) String() string {
	names := make([]string, len(t))
	for i, one := range t {
		names[i] = one.name
	}
	return strings.Join(names, " . ")
}

func (t nftTypes) number() (n uint32) {
	for _, one := range t {
		n = n<<6 | one.number
	}
	return n
}

// size is that of all; each begins at a multiple of four bytes.
func (t nftTypes) size() (n int) {
	if len(t) == 1 {
		return t[0].size
	}
	for _, one := range t {
		n += (one.size + 3) &^ 3
	}
	return n
}

// nftSet is a set; with data, a map.
type nftSet struct {
	name      string
	key, data nftTypes
	ranges    bool // elements are ranges of keys
	counter   bool // elements count what hits them
}

func (s nftSet) String() string      { return s.word() + " " + s.name }
func (nftSet) rank() int             { return 1 }
func (s nftSet) showWords() []string { return s.words("list") }
func (s nftSet) delWords() []string  { return s.words("delete") }

func (s nftSet) word() string {
	if len(s.data) > 0 {
		return "map"
	}
	return "set"
}

func (s nftSet) words(verb string) []string {
	return []string{verb, s.word(), "inet", nftTableName, s.name}
}

func (s nftSet) addWords() []string {
	spec := "type "
	if s.drawn() {
		spec = "typeof "
	}
	spec += s.key.String()
	if len(s.data) > 0 {
		spec += " : " + s.data.String()
	}
	if s.ranges {
		spec += "; flags interval"
	}
	if s.counter {
		spec += "; counter"
	}
	return append(s.words("add"), "{ "+spec+"; }")
}

// joined reports whether ranges are kept by a first and a last key, and not by
// two elements: the kernel has a structure of its own for ranges of joined keys.
func (s nftSet) joined() bool { return s.ranges && len(s.key) > 1 }

// What golang.org/x/sys/unix lacks of linux/netfilter/nf_tables.h and, for the
// kinds of user data, of libnftnl.
const (
	nftSetConcat      = 0x80
	nftaSetDescConcat = 2
	nftaSetExpr       = 17
	nftaSetElemKeyEnd = 10
	udataKeyByteOrder = 0
)

func (s nftSet) flags() (flags uint32) {
	if s.ranges {
		flags |= unix.NFT_SET_INTERVAL
	}
	if s.joined() {
		flags |= nftSetConcat
	}
	if len(s.data) > 0 {
		flags |= unix.NFT_SET_MAP
	}
	return flags
}

func (s nftSet) add() nftChange {
	body := inTable(unix.NFTA_SET_TABLE).text(unix.NFTA_SET_NAME, s.name).
		number(unix.NFTA_SET_ID, 1).number(unix.NFTA_SET_FLAGS, s.flags()).
		number(unix.NFTA_SET_KEY_TYPE, s.key.number()).number(unix.NFTA_SET_KEY_LEN, uint32(s.key.size()))
	if len(s.data) > 0 {
		body = body.number(unix.NFTA_SET_DATA_TYPE, s.data.number()).number(unix.NFTA_SET_DATA_LEN, uint32(s.data.size()))
	}
	if s.joined() {
		var fields attrs
		for _, t := range s.key {
			fields = fields.nest(unix.NFTA_LIST_ELEM, attrs(nil).number(1, uint32(t.size)))
		}
		body = body.nest(unix.NFTA_SET_DESC, attrs(nil).nest(nftaSetDescConcat, fields))
	}
	if s.counter {
		counter := attrs(nil).text(unix.NFTA_EXPR_NAME, "counter").nest(unix.NFTA_EXPR_DATA, nil)
		body = body.nest(nftaSetExpr, counter)
	}
	if s.drawn() {
		body = body.add(unix.NFTA_SET_USERDATA, drawnData())
	}
	return changeOf(s, unix.NFT_MSG_NEWSET, nftAdd, body)
}

func (s nftSet) del() nftChange {
	return changeOf(s, unix.NFT_MSG_DELSET, 0, inTable(unix.NFTA_SET_TABLE).text(unix.NFTA_SET_NAME, s.name))
}

// flush deletes what is in the set.
func (s nftSet) flush() nftChange {
	body := inTable(unix.NFTA_SET_ELEM_LIST_TABLE).text(unix.NFTA_SET_ELEM_LIST_SET, s.name)
	return changeOf(s, unix.NFT_MSG_DELSETELEM, 0, body)
}

// nftElement is an element of a set.
type nftElement struct {
	set  nftSet
	key  nftFields
	data nftFields // of a map
	jump string    // of a map of verdicts: the chain
	note string
}

func (nftElement) rank() int             { return 4 }
func (e nftElement) showWords() []string { return e.set.showWords() }
func (e nftElement) String() string      { return fmt.Sprintf("element { %s } of %s", e.key, e.set) }

func (e nftElement) addWords() []string {
	text := fmt.Sprintf("%s comment %q", e.key, e.note)
	switch {
	case e.jump != "":
		text += " : jump " + e.jump
	case len(e.data) > 0:
		text += " : " + e.data.String()
	}
	return e.words("add", text)
}

func (e nftElement) delWords() []string { return e.words("delete", e.key.String()) }

func (e nftElement) words(verb, text string) []string {
	return []string{verb, "element", "inet", nftTableName, e.set.name, "{ " + text + " }"}
}

func (e nftElement) add() nftChange {
	c := changeOf(e, unix.NFT_MSG_NEWSETELEM, nftAdd, nil)
	c.elements = e.attrs()
	return c
}

func (e nftElement) del() nftChange {
	c := changeOf(e, unix.NFT_MSG_DELSETELEM, 0, nil)
	c.elements = e.keyAttrs()
	return c
}
