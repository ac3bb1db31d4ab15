package nat

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cnetlab/cnet/pkg/fact"
)

// line is one change to a table: the words of an iptables command after -t.
type line struct {
	table string
	words []string
}

// lines are changes in order. They are one text for iptables-restore(8) or as
// many commands for iptables(8).
type lines []line

// makeLines are the changes that add rules, in order.
func makeLines(rules []Rule) lines {
	list := make(lines, 0, len(rules))
	for _, r := range rules {
		switch {
		case r.isChain():
			list = list.add(r.Table, "-N", r.Chain)
		case r.First:
			list = list.add(r.Table, append([]string{"-I", r.Chain, "1"}, r.Args...)...)
		default:
			list = list.add(r.Table, append([]string{"-A", r.Chain}, r.Args...)...)
		}
	}
	return list
}

// breakLines are the changes that delete rules: first the rules in chains that
// stay, the last first; then what is in the chains that go; then these chains.
// A chain that goes is only flushed: iptables-nft refuses to do both in one
// transaction (-D of a jump, then -F of its chain: "Device or resource busy").
func breakLines(rules []Rule) lines {
	goes := make(map[string]bool)
	for _, r := range rules {
		if r.isChain() {
			goes[r.Table+" "+r.Chain] = true
		}
	}
	var rest, flush, drop lines
	for i := len(rules) - 1; i >= 0; i-- {
		r := rules[i]
		switch {
		case r.isChain():
			flush = flush.add(r.Table, "-F", r.Chain)
			drop = drop.add(r.Table, "-X", r.Chain)
		case !goes[r.Table+" "+r.Chain]:
			rest = rest.add(r.Table, append([]string{"-D", r.Chain}, r.Args...)...)
		}
	}
	return append(append(rest, flush...), drop...)
}

// mendLines are the changes that leave just one of each rule, at its place,
// where the tables are as in s.
func mendLines(s snapshot, rules []Rule) lines {
	var list lines
	for _, r := range rules {
		if n := s.count(r); r.isChain() && n == 0 {
			list = append(list, makeLines([]Rule{r})...)
		}
	}
	for _, chain := range s.muddled(rules) {
		list = list.add(chain.Table, "-F", chain.Chain)
		s = s.without(chain)
	}
	for _, r := range rules {
		wrong := func(o Rule) bool { return s.wrong(o) && (o.id() == r.id() || o.First && r.First && o.beside(r)) }
		if !slices.ContainsFunc(rules, wrong) {
			continue
		}
		for n := s.count(r); n > 0; n-- {
			list = append(list, breakLines([]Rule{r})...)
		}
		list = append(list, makeLines([]Rule{r})...)
	}
	return list
}

// wrong reports whether a rule has to be set right: alone, or with those that are
// the first of a chain with it, so that these stay in their order.
func (s snapshot) wrong(r Rule) bool {
	_, beaten := s.winner(r)
	return !r.isChain() && (beaten || s.count(r) != 1)
}

func (r Rule) beside(o Rule) bool { return r.Table == o.Table && r.Chain == o.Chain }

// mendCommands are the same by hand, whatever stands there.
func mendCommands(rules []Rule) (cmds []fact.Command) {
	for _, r := range rules {
		add := makeLines([]Rule{r})[0].command(r.IPv6)
		if r.isChain() {
			add.MayFail = true // it is there
			if r.Netns != "" { // with rules of others, maybe
				cmds, add = append(cmds, add), line{r.Table, []string{"-F", r.Chain}}.command(r.IPv6)
			}
		} else {
			del := breakLines([]Rule{r})[0].command(r.IPv6)
			cmds = append(cmds, fact.Cmd("sh", "-c", "while "+del.String()+" 2> /dev/null; do :; done"))
		}
		cmds = append(cmds, add)
	}
	return cmds
}

// showLines list the chains in which rules stand.
func showLines(rules []Rule) lines {
	var list lines
	for _, r := range rules {
		show := line{r.Table, []string{"-S", r.Chain}}
		same := func(l line) bool { return l.table == show.table && slices.Equal(l.words, show.words) }
		if !slices.ContainsFunc(list, same) {
			list = append(list, show)
		}
	}
	return list
}

func (l lines) add(table string, words ...string) lines {
	return append(l, line{table, words})
}

// tables are the tables in the order of their first line.
func (l lines) tables() []string {
	var names []string
	for _, x := range l {
		if !slices.Contains(names, x.table) {
			names = append(names, x.table)
		}
	}
	return names
}

// text is the input of iptables-restore --noflush: no ":CHAIN" lines, because
// these empty a chain that exists.
func (l lines) text() string {
	var b strings.Builder
	for _, table := range l.tables() {
		fmt.Fprintf(&b, "*%s\n", table)
		for _, x := range l {
			if x.table == table {
				b.WriteString(x.String() + "\n")
			}
		}
		b.WriteString("COMMIT\n")
	}
	return b.String()
}

// String is the line as iptables-restore(8) reads it.
func (l line) String() string {
	words := make([]string, len(l.words))
	for i, w := range l.words {
		if w == "" || strings.ContainsAny(w, " \t\"'\\") {
			w = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(w) + `"`
		}
		words[i] = w
	}
	return strings.Join(words, " ")
}

// command is the line as a person types it. The table filter goes without saying.
func (l line) command(ipv6 bool) fact.Command {
	argv := []string{program(ipv6)}
	if l.table != "filter" {
		argv = append(argv, "-t", l.table)
	}
	return fact.Cmd(append(argv, l.words...)...)
}

func program(ipv6 bool) string {
	if ipv6 {
		return "ip6tables"
	}
	return "iptables"
}
