package nat

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// attrs is a list of netlink attributes: each a length, a type and a value,
// padded to four bytes (netlink(7)). Numbers of nf_tables are in network byte
// order.
type attrs []byte

func (a attrs) add(kind uint16, value []byte) attrs {
	a = binary.NativeEndian.AppendUint16(a, uint16(unix.SizeofNlAttr+len(value)))
	a = binary.NativeEndian.AppendUint16(a, kind)
	a = append(a, value...)
	return append(a, "\x00\x00\x00"[:-len(value)&3]...)
}

func (a attrs) text(kind uint16, s string) attrs { return a.add(kind, append([]byte(s), 0)) }

func (a attrs) number(kind uint16, n uint32) attrs {
	return a.add(kind, binary.BigEndian.AppendUint32(nil, n))
}

func (a attrs) nest(kind uint16, inner attrs) attrs {
	return a.add(kind|unix.NLA_F_NESTED, inner)
}

// attr is one attribute as it was read.
type attr struct {
	kind  uint16
	value []byte
}

func (a attr) text() string { return string(bytes.TrimRight(a.value, "\x00")) }

func (a attr) number() uint32 {
	if len(a.value) < 4 {
		return 0
	}
	return binary.BigEndian.Uint32(a.value)
}

// parseAttrs reads the attributes in raw, and reports whether that is all there is.
func parseAttrs(raw []byte) (list []attr, whole bool) {
	for len(raw) >= unix.SizeofNlAttr {
		size := int(binary.NativeEndian.Uint16(raw))
		if size < unix.SizeofNlAttr || size > len(raw) {
			return list, false
		}
		kind := binary.NativeEndian.Uint16(raw[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
		list = append(list, attr{kind, raw[unix.SizeofNlAttr:size]})
		raw = raw[min((size+3)&^3, len(raw)):]
	}
	return list, len(raw) == 0
}

// attrAt is the attribute of the last kind of path, within those of the kinds
// before it. Its value is empty where there is none.
func attrAt(raw []byte, path ...uint16) (found attr) {
	for _, kind := range path {
		list, _ := parseAttrs(raw)
		i := slices.IndexFunc(list, func(a attr) bool { return a.kind == kind })
		if i < 0 {
			return attr{}
		}
		found, raw = list[i], list[i].value
	}
	return found
}

// canonical is a list of expressions in a form in which two are equal if they
// do the same: without what a counter has counted, and without attributes of
// value zero, which the kernel may add.
func canonical(exprs []byte) string {
	var b strings.Builder
	list, _ := parseAttrs(exprs)
	for _, e := range list {
		name, data := attrAt(e.value, unix.NFTA_EXPR_NAME).text(), attrAt(e.value, unix.NFTA_EXPR_DATA).value
		if name == "byteorder" && noop(data) {
			continue
		}
		if name == "counter" {
			data = nil
		}
		b.WriteString(name + canonicalAttrs(data, name) + ";")
	}
	return b.String()
}

// canonicalAttrs are those of an expression, or what is nested in one of them.
func canonicalAttrs(raw []byte, of string) string {
	list, whole := parseAttrs(raw)
	if !whole {
		return fmt.Sprintf("%x", raw)
	}
	var words []string
	for _, a := range list {
		flags := of == "nat" && a.kind == unix.NFTA_NAT_FLAGS || of == "redir" && a.kind == unix.NFTA_REDIR_FLAGS
		if flags && a.number()&^natImplied == 0 {
			continue
		}
		if len(bytes.Trim(a.value, "\x00")) > 0 {
			words = append(words, fmt.Sprintf("%d:%s", a.kind, canonicalAttrs(a.value, "")))
		}
	}
	slices.Sort(words)
	return "(" + strings.Join(words, " ") + ")"
}

// natImplied are flags that nft(8) sets and the kernel takes from the registers:
// NF_NAT_RANGE_MAP_IPS and NF_NAT_RANGE_PROTO_SPECIFIED.
const natImplied = 1 | 2

// noop reports whether a change of byte order is of less than one word: nft(8)
// 1.0 asks for it where a protocol's number is part of a key with ranges.
func noop(byteorder []byte) bool {
	return attrAt(byteorder, unix.NFTA_BYTEORDER_LEN).number() < attrAt(byteorder, unix.NFTA_BYTEORDER_SIZE).number()
}
