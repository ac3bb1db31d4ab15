package nat

import (
	"fmt"
	"strings"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// nftObject is a thing in table inet cnet, or the table itself. A fact is
// rendered as a list of them, each after those that it stands in or leads to.
type nftObject interface {
	String() string     // what it is: "chain to4-lab"
	rank() int          // in a transaction, what has a lower one is made first
	add() nftChange     // the change that adds it
	del() nftChange     // the change that deletes it; of a rule none, it goes with its chain
	addWords() []string // the words after nft(8) that add it
	delWords() []string // and those that delete it, if any
	showWords() []string
}

const nftAdd = unix.NLM_F_CREATE | unix.NLM_F_EXCL

// nftTable is the table. What is in it goes with it.
type nftTable struct{}

func (nftTable) String() string      { return "table inet " + nftTableName }
func (nftTable) rank() int           { return 0 }
func (nftTable) addWords() []string  { return []string{"add", "table", "inet", nftTableName} }
func (nftTable) delWords() []string  { return []string{"delete", "table", "inet", nftTableName} }
func (nftTable) showWords() []string { return []string{"list", "table", "inet", nftTableName} }

func (t nftTable) add() nftChange {
	return changeOf(t, unix.NFT_MSG_NEWTABLE, nftAdd, inTable(unix.NFTA_TABLE_NAME).number(unix.NFTA_TABLE_FLAGS, 0))
}

func (t nftTable) del() nftChange {
	return changeOf(t, unix.NFT_MSG_DELTABLE, 0, inTable(unix.NFTA_TABLE_NAME))
}

// inTable begins the attributes of a message. In all of them the first names the table.
func inTable(kind uint16) attrs { return attrs(nil).text(kind, nftTableName) }

// nftChain is a chain: a base chain, which packets enter at a hook, or one that
// others jump to.
type nftChain struct {
	name     string
	kind     string // of a base chain: "filter" or "nat"
	hook     uint32 // NF_INET_…
	priority int32
	at       string // the hook and the priority as nft(8) names them
}

func (c nftChain) String() string      { return "chain " + c.name }
func (nftChain) rank() int             { return 2 }
func (c nftChain) showWords() []string { return c.words("list") }

func (c nftChain) words(verb string) []string {
	return []string{verb, "chain", "inet", nftTableName, c.name}
}

func (c nftChain) addWords() []string {
	if c.kind == "" {
		return c.words("add")
	}
	return append(c.words("add"), fmt.Sprintf("{ type %s %s; policy accept; }", c.kind, c.at))
}

func (c nftChain) delWords() []string { return c.words("delete") }

func (c nftChain) add() nftChange {
	body := inTable(unix.NFTA_CHAIN_TABLE).text(unix.NFTA_CHAIN_NAME, c.name)
	if c.kind != "" {
		hook := attrs(nil).number(unix.NFTA_HOOK_HOOKNUM, c.hook).number(unix.NFTA_HOOK_PRIORITY, uint32(c.priority))
		body = body.nest(unix.NFTA_CHAIN_HOOK, hook).number(unix.NFTA_CHAIN_POLICY, nfAccept).text(unix.NFTA_CHAIN_TYPE, c.kind)
	}
	return changeOf(c, unix.NFT_MSG_NEWCHAIN, nftAdd, body)
}

// nfAccept is NF_ACCEPT of linux/netfilter.h.
const nfAccept = 1

func (c nftChain) del() nftChange {
	return changeOf(c, unix.NFT_MSG_DELCHAIN, 0, inTable(unix.NFTA_CHAIN_TABLE).text(unix.NFTA_CHAIN_NAME, c.name))
}

// flush deletes what is in the chain.
func (c nftChain) flush() nftChange {
	return changeOf(c, unix.NFT_MSG_DELRULE, 0, inTable(unix.NFTA_RULE_TABLE).text(unix.NFTA_RULE_CHAIN, c.name))
}

// nftRule is a rule at the end of a chain. It goes with the chain.
type nftRule struct {
	chain string
	parts []nftPart
	note  string // a comment that readers of nft(8) see
}

// nftPart is a part of a rule: what nft(8) calls it and what the kernel does.
type nftPart struct {
	words string
	exprs []expr.Any
}

func (nftRule) rank() int             { return 3 }
func (r nftRule) String() string      { return fmt.Sprintf("rule %q of chain %s", r.text(), r.chain) }
func (r nftRule) showWords() []string { return nftChain{name: r.chain}.words("list") }
func (nftRule) delWords() []string    { return nil }
func (nftRule) del() nftChange        { return nftChange{} }

func (r nftRule) addWords() []string {
	return []string{"add", "rule", "inet", nftTableName, r.chain, r.text()}
}

func (r nftRule) text() string {
	words := make([]string, 0, len(r.parts)+1)
	for _, p := range r.parts {
		words = append(words, p.words)
	}
	if r.note != "" {
		words = append(words, fmt.Sprintf("comment %q", r.note))
	}
	return strings.Join(words, " ")
}

func (r nftRule) add() nftChange {
	body := inTable(unix.NFTA_RULE_TABLE).text(unix.NFTA_RULE_CHAIN, r.chain).nest(unix.NFTA_RULE_EXPRESSIONS, r.expressions())
	if r.note != "" {
		body = body.add(unix.NFTA_RULE_USERDATA, comment(r.note))
	}
	return changeOf(r, unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_APPEND, body)
}

func (r nftRule) expressions() (list attrs) {
	for _, p := range r.parts {
		for _, e := range p.exprs {
			if raw, err := expr.Marshal(unix.NFPROTO_INET, e); err == nil {
				list = list.nest(unix.NFTA_LIST_ELEM, raw)
			}
		}
	}
	return list
}

// comment is a comment as nft(8) keeps it with rules and elements.
func comment(note string) []byte {
	return append([]byte{0, byte(len(note) + 1)}, note+"\x00"...)
}
