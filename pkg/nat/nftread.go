package nat

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sort"

	"golang.org/x/sys/unix"
)

// nftState is what table inet cnet holds.
type nftState struct {
	table  bool
	flags  uint32 // "dormant" is one: the table does nothing
	chains map[string]*nftChainState
	sets   map[string]*nftSetState
	alone  bool // nobody looks for strays: a chain has its own rules alone
}

type nftChainState struct {
	spec  string // of a base chain: its type, hook and priority
	drops bool   // its policy is to drop
	rules []nftRuleState
}

type nftRuleState struct {
	does   string // see canonical
	note   string
	handle uint64
	raw    []byte // its expressions
}

type nftSetState struct {
	word     string // "set" or "map"
	spec     string
	elements map[string]nftElementState // by key, see nftElement.id
}

type nftElementState struct {
	low, end []byte
	data     string // see nftElement.leads
	note     string
	Count
}

// read reads the table, anew if it changes meanwhile.
func (l *nftLink) read() (s *nftState, err error) {
	const tries = 10
	for i := 0; i < tries; i++ {
		if s, err = l.readOnce(); !errors.Is(err, errInterrupted) && !errors.Is(err, unix.EINTR) {
			return s, err
		}
	}
	return nil, err
}

func (l *nftLink) readOnce() (*nftState, error) {
	s := &nftState{chains: make(map[string]*nftChainState), sets: make(map[string]*nftSetState)}
	err := l.dump(nftMessage{kind: unix.NFT_MSG_GETTABLE}, func(body []byte) {
		if attrAt(body, unix.NFTA_TABLE_NAME).text() == nftTableName {
			s.table, s.flags = true, attrAt(body, unix.NFTA_TABLE_FLAGS).number()
		}
	})
	if err != nil || !s.table {
		return s, err
	}
	err = l.each(unix.NFT_MSG_GETCHAIN, unix.NFTA_CHAIN_TABLE, s.addChain)
	if err == nil {
		err = l.each(unix.NFT_MSG_GETRULE, unix.NFTA_RULE_TABLE, s.addRule)
	}
	if err == nil {
		err = l.each(unix.NFT_MSG_GETSET, unix.NFTA_SET_TABLE, s.addSet)
	}
	known := knownSets()
	for name, into := range s.sets {
		if set, ok := setNamed(known, name); ok && err == nil {
			err = l.elements(set, into)
		}
	}
	return s, err
}

// each lists what stands in the table. The kernel may list that of others too.
func (l *nftLink) each(kind, table uint16, fn func(body []byte)) error {
	return l.dump(nftMessage{kind: kind, body: inTable(table)}, func(body []byte) {
		if attrAt(body, table).text() == nftTableName {
			fn(body)
		}
	})
}

func (s *nftState) addChain(body []byte) {
	hook := attrAt(body, unix.NFTA_CHAIN_HOOK).value
	c := &nftChainState{}
	if hook != nil {
		c.spec = fmt.Sprintf("%s %d %d", attrAt(body, unix.NFTA_CHAIN_TYPE).text(),
			attrAt(hook, unix.NFTA_HOOK_HOOKNUM).number(), int32(attrAt(hook, unix.NFTA_HOOK_PRIORITY).number()))
		c.drops = attrAt(body, unix.NFTA_CHAIN_POLICY).number() != nfAccept
	}
	s.chains[attrAt(body, unix.NFTA_CHAIN_NAME).text()] = c
}

// spec is that of the chain when it stands as it should.
func (c nftChain) spec() string {
	if c.kind == "" {
		return ""
	}
	return fmt.Sprintf("%s %d %d", c.kind, c.hook, c.priority)
}

func (s *nftState) addRule(body []byte) {
	c := s.chains[attrAt(body, unix.NFTA_RULE_CHAIN).text()]
	if c == nil {
		return
	}
	r := nftRuleState{note: noteIn(attrAt(body, unix.NFTA_RULE_USERDATA).value), raw: attrAt(body, unix.NFTA_RULE_EXPRESSIONS).value}
	r.does = canonical(r.raw)
	if h := attrAt(body, unix.NFTA_RULE_HANDLE).value; len(h) == 8 {
		r.handle = binary.BigEndian.Uint64(h)
	}
	c.rules = append(c.rules, r)
}

func (s *nftState) addSet(body []byte) {
	spec := fmt.Sprintf("%d %d:%d %d", attrAt(body, unix.NFTA_SET_KEY_TYPE).number(), attrAt(body, unix.NFTA_SET_KEY_LEN).number(),
		attrAt(body, unix.NFTA_SET_DATA_TYPE).number(), attrAt(body, unix.NFTA_SET_FLAGS).number())
	word := "set"
	if attrAt(body, unix.NFTA_SET_FLAGS).number()&unix.NFT_SET_MAP != 0 {
		word = "map"
	}
	s.sets[attrAt(body, unix.NFTA_SET_NAME).text()] = &nftSetState{word: word, spec: spec, elements: make(map[string]nftElementState)}
}

func (s nftSet) spec() string {
	return fmt.Sprintf("%d %d:%d %d", s.key.number(), s.key.size(), s.data.number(), s.flags())
}

// elements reads those of a set. Of ranges of single keys the kernel lists both
// ends, as two.
func (l *nftLink) elements(set nftSet, into *nftSetState) error {
	var starts, ends [][]byte
	found := make(map[string]nftElementState)
	body := inTable(unix.NFTA_SET_ELEM_LIST_TABLE).text(unix.NFTA_SET_ELEM_LIST_SET, set.name)
	err := l.dump(nftMessage{kind: unix.NFT_MSG_GETSETELEM, body: body}, func(body []byte) {
		list, _ := parseAttrs(attrAt(body, unix.NFTA_SET_ELEM_LIST_ELEMENTS).value)
		for _, e := range list {
			key := attrAt(e.value, unix.NFTA_SET_ELEM_KEY, unix.NFTA_DATA_VALUE).value
			end := attrAt(e.value, nftaSetElemKeyEnd, unix.NFTA_DATA_VALUE).value
			switch {
			case set.joined() || !set.ranges:
				into.elements[nftKey(key, end)] = elementState(e.value, key, end)
			case attrAt(e.value, unix.NFTA_SET_ELEM_FLAGS).number()&unix.NFT_SET_ELEM_INTERVAL_END != 0:
				ends = append(ends, key)
			default:
				starts = append(starts, key)
				found[string(key)] = elementState(e.value, key, nil)
			}
		}
	})
	slices.SortFunc(ends, bytes.Compare)
	for _, start := range starts {
		e := found[string(start)]
		if i := sort.Search(len(ends), func(i int) bool { return bytes.Compare(ends[i], start) > 0 }); i < len(ends) {
			e.end = ends[i]
		}
		into.elements[nftKey(start, e.end)] = e
	}
	return err
}

func nftKey(low, end []byte) string { return string(low) + "-" + string(end) }

// id is the key of the element as it is read.
func (e nftElement) id() string {
	var end []byte
	switch {
	case e.set.joined():
		end = e.key.high()
	case e.set.ranges:
		end, _ = increment(e.key.high())
	}
	return nftKey(e.key.low(), end)
}

// leads is the element's data as it is read.
func (e nftElement) leads() string {
	if e.jump != "" {
		return "jump " + e.jump
	}
	return string(e.data.low())
}

func elementState(raw, low, end []byte) nftElementState {
	e := nftElementState{low: low, end: end, note: noteIn(attrAt(raw, unix.NFTA_SET_ELEM_USERDATA).value)}
	e.data = string(attrAt(raw, unix.NFTA_SET_ELEM_DATA, unix.NFTA_DATA_VALUE).value)
	if v := attrAt(raw, unix.NFTA_SET_ELEM_DATA, unix.NFTA_DATA_VERDICT).value; v != nil {
		e.data = verdictWord(attrAt(v, unix.NFTA_VERDICT_CODE).number()) + attrAt(v, unix.NFTA_VERDICT_CHAIN).text()
	}
	e.Count = countIn(attrAt(raw, unix.NFTA_SET_ELEM_EXPR).value)
	return e
}

func verdictWord(code uint32) string {
	if code == jumpCode {
		return "jump "
	}
	return fmt.Sprintf("verdict %d ", int32(code))
}

// noteIn is the comment in user data of nft(8).
func noteIn(udata []byte) string {
	for len(udata) >= 2 && len(udata) >= 2+int(udata[1]) {
		value := udata[2 : 2+int(udata[1])]
		if udata[0] == 0 {
			return string(bytes.TrimRight(value, "\x00"))
		}
		udata = udata[2+len(value):]
	}
	return ""
}
