package nat

import (
	"context"
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/pkg/fact"
)

// Count is what the counters of nf_tables have seen: of a published port the
// connections, with the bytes of the first packet of each; of a masquerade the
// connections that left.
type Count struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

// Counters returns the counts of those of the facts that have counters: of the
// backend [Nftables], what is published and what is masqueraded.
func Counters(ctx context.Context, facts []fact.Fact) (map[fact.Key]Count, error) {
	counts := make(map[fact.Key]Count)
	var state *nftState
	for _, f := range facts {
		v, ok := f.(value)
		if !ok || v.on().Backend != Nftables {
			continue
		}
		if state == nil {
			var err error
			if state, err = lookAnyNft(ctx); err != nil {
				return nil, err
			}
		}
		for _, o := range v.nftables() {
			if n, ok := state.counted(o); ok {
				sum := counts[f.Key()]
				counts[f.Key()] = Count{sum.Packets + n.Packets, sum.Bytes + n.Bytes}
			}
		}
	}
	return counts, nil
}

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
