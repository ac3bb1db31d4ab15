package nat

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sort"

	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/pkg/fact"
)

// lookAnyNft is lookNft where there may be no nf_tables: then there is no table.
func lookAnyNft(ctx context.Context) (*nftState, error) {
	state, err := lookNft(ctx)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPROTONOSUPPORT) {
		return &nftState{}, nil
	}
	return state, err
}

// ownedNft is the table, if there is one.
func ownedNft(ctx context.Context) ([]fact.Fact, error) {
	state, err := lookAnyNft(ctx)
	if err != nil || !state.table {
		return nil, err
	}
	return []fact.Fact{On{Backend: Nftables}.hook(RoleTable)}, nil
}

// strayNft is what the table holds and none of the facts wanted renders.
func strayNft(ctx context.Context, wanted []fact.Fact) ([]fact.Fact, error) {
	state, err := lookAnyNft(ctx)
	if err != nil || !state.table {
		return nil, err
	}
	want := make(map[string]bool)
	for _, f := range wanted {
		if v, ok := f.(value); ok && v.on() == (On{Backend: Nftables, IPv6: v.on().IPv6}) {
			for _, o := range v.nftables() {
				want[nftID(o)] = true
			}
		}
	}
	if !want[nftID(nftTable{})] {
		return ownedNft(ctx)
	}
	return state.strays(want), nil
}

// nftID tells objects apart: a rule by what it does, an element by its key.
func nftID(o nftObject) string {
	switch o := o.(type) {
	case nftRule:
		return "rule " + o.chain + " " + o.identity()
	case nftElement:
		return "element " + o.set.name + " " + o.id()
	case nftSet:
		return "set " + o.name
	}
	return o.String()
}

// strays are the chains, sets, rules and elements that are not wanted. Deleted
// one by one, the last first, none is in the way of another.
func (s *nftState) strays(want map[string]bool) (facts []fact.Fact) {
	add := func(f Found) {
		f.Backend = Nftables
		facts = append(facts, f)
	}
	for _, name := range sortedKeys(s.chains) {
		if !want["chain "+name] {
			add(Found{What: "chain", Name: name})
		}
	}
	for _, name := range sortedKeys(s.sets) {
		if !want["set "+name] {
			add(Found{What: s.sets[name].word, Name: name})
		}
	}
	for _, name := range sortedKeys(s.chains) {
		for _, r := range s.chains[name].rules {
			if !want["rule "+name+" "+r.identity()] {
				add(Found{What: "rule", Name: name, Handle: r.handle})
			}
		}
	}
	for _, name := range sortedKeys(s.sets) {
		for _, id := range sortedKeys(s.sets[name].elements) {
			if e := s.sets[name].elements[id]; want["set "+name] && !want["element "+name+" "+id] {
				add(Found{What: "element", Name: name, Low: e.low, End: e.end})
			}
		}
	}
	return facts
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// nftNumbered is a rule by its number.
type nftNumbered struct {
	chain  string
	handle uint64
}

func (r nftNumbered) String() string {
	return fmt.Sprintf("rule with handle %d in chain %s", r.handle, r.chain)
}
func (nftNumbered) rank() int             { return 3 }
func (r nftNumbered) add() nftChange      { return nftChange{} }
func (r nftNumbered) addWords() []string  { return nil }
func (r nftNumbered) showWords() []string { return nftChain{name: r.chain}.words("list") }

func (r nftNumbered) del() nftChange {
	body := inTable(unix.NFTA_RULE_TABLE).text(unix.NFTA_RULE_CHAIN, r.chain).
		add(unix.NFTA_RULE_HANDLE, binary.BigEndian.AppendUint64(nil, r.handle))
	return changeOf(r, unix.NFT_MSG_DELRULE, 0, body)
}

func (r nftNumbered) delWords() []string {
	return []string{"delete", "rule", "inet", nftTableName, r.chain, "handle", fmt.Sprint(r.handle)}
}

// fields are the parts of a key that the kernel has.
func (s nftSet) fields(low, end []byte) (fields nftFields) {
	high := end
	switch {
	case !s.ranges:
		high = low
	case !s.joined() && end == nil:
		high = bytes.Repeat([]byte{0xff}, len(low))
	case !s.joined():
		high = decrement(end)
	}
	for _, t := range s.key {
		if len(low) < t.size || len(high) < t.size {
			return fields
		}
		fields = append(fields, t.field(low[:t.size], high[:t.size]))
		next := min((t.size+3)&^3, len(low), len(high))
		low, high = low[next:], high[next:]
	}
	return fields
}

func decrement(n []byte) []byte {
	n = slices.Clone(n)
	for i := len(n) - 1; i >= 0; i-- {
		n[i]--
		if n[i] != 0xff {
			break
		}
	}
	return n
}

// field is a part of a key, in the words of nft(8).
func (t nftType) field(low, high []byte) nftField {
	first, last := t.words(low), t.words(high)
	switch {
	case bytes.Equal(low, high):
	case t == typeLink:
		first = linkWords(string(bytes.TrimRight(low, "\x00")) + "+")
	default:
		first += "-" + last
		if a, ok := netip.AddrFromSlice(low); ok {
			for bits := 0; bits < a.BitLen(); bits++ {
				if f := prefixField(netip.PrefixFrom(a, bits)); bytes.Equal(f.low, low) && bytes.Equal(f.high, high) {
					first = f.words
				}
			}
		}
	}
	return nftField{first, low, high}
}

func (t nftType) words(value []byte) string {
	switch t {
	case typeIPv4, typeIPv6:
		a, _ := netip.AddrFromSlice(value)
		return a.String()
	case typeLink:
		return linkWords(string(bytes.TrimRight(value, "\x00")))
	case typePort:
		return fmt.Sprint(binary.BigEndian.Uint16(value))
	case typeFamily:
		return map[byte]string{unix.NFPROTO_IPV4: "ipv4", unix.NFPROTO_IPV6: "ipv6"}[value[0]]
	}
	for name, n := range protoNumbers {
		if n == value[0] {
			return name
		}
	}
	return fmt.Sprint(value[0])
}
