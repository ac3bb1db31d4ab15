package nat

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// counted is the count of an object that is there and counts.
func (s *nftState) counted(o nftObject) (Count, bool) {
	switch o := o.(type) {
	case nftElement:
		e, ok := s.element(o)
		return e.Count, ok && o.set.counter
	case nftRule:
		if c := s.chains[o.chain]; c != nil && o.note != "" {
			for _, r := range c.rules {
				if r.identity() == o.identity() {
					return r.count(), true
				}
			}
		}
	}
	return Count{}, false
}

func (r nftRuleState) count() Count {
	list, _ := parseAttrs(r.raw)
	for _, e := range list {
		if attrAt(e.value, unix.NFTA_EXPR_NAME).text() == "counter" {
			return countIn(e.value)
		}
	}
	return Count{}
}

// countIn reads the expression of a counter.
func countIn(raw []byte) (c Count) {
	data := attrAt(raw, unix.NFTA_EXPR_DATA).value
	if n := attrAt(data, unix.NFTA_COUNTER_PACKETS).value; len(n) == 8 {
		c.Packets = binary.BigEndian.Uint64(n)
	}
	if n := attrAt(data, unix.NFTA_COUNTER_BYTES).value; len(n) == 8 {
		c.Bytes = binary.BigEndian.Uint64(n)
	}
	return c
}
