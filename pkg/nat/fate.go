package nat

import (
	"fmt"
	"net/netip"
)

// Packet is the first packet of some connection, for asking what a firewall
// would do to it. What is left empty is not known.
type Packet struct {
	In, Out    string     // links of this host
	Src, Dst   netip.Addr // as they are at the hook
	IPv6       bool
	Translated bool // the destination was rewritten: it came to a published port
	Allowed    bool // cnet's chain CNET-FORWARD lets it pass
}

// Outcome is what a chain does to packets of a kind, from good to bad.
type Outcome int

const (
	Passes     Outcome = iota // none is dropped
	DropsSome                 // a rule drops some of them: of one port, say
	MightDrop                 // all are dropped unless a rule that cannot be judged accepts them
	DropsThese                // all are dropped, but for those that a rule names closer
)

// Fate is an outcome and what brings it about.
type Fate struct {
	Outcome Outcome
	Chain   string // where the packet ends
	By      string // "its policy", or a rule
}

// Chain is a chain at a hook of netfilter.
type Chain struct {
	Program  string // the command that shows it: "nft", "iptables", "ip6tables-legacy" …
	Family   string // of packets: "ip", "ip6", "inet", "bridge"
	Table    string
	Name     string
	Hook     string // "prerouting", "input", "forward", "output", "postrouting"
	Priority int    // lower comes first; known of nft's own chains only
	Policy   string // "accept" or "drop"

	rules map[string][]judged // of all chains of the table
}

// judged is a rule in a form that can be judged.
type judged struct {
	text    string
	matches func(Packet) answer
	verdict func(Packet) verdict
}

// verdict is what a rule does to a packet that it matches.
type verdict struct {
	word string // "accept", "drop", "return", "jump", "goto", or empty: nothing
	to   string // the chain of a jump
}

// answer says whether a packet of which not all is known matches. A rule with
// several matches answers with the least of their answers.
type answer int

const (
	no      answer = iota
	unknown        // what is asked cannot be judged
	some           // those of one port or protocol do
	yes
)

// Fate says what the chain does to packets of the kind.
func (c Chain) Fate(p Packet) Fate {
	w := walk{rules: c.rules, packet: p}
	end := w.chain(c.Name, 0)
	if end == "" && c.Policy == "drop" {
		w.drop(yes, c.Name, "its policy")
	}
	return w.fate
}

// walk is a packet's way through the chains of a table.
type walk struct {
	rules  map[string][]judged
	packet Packet
	doubt  bool // a rule that cannot be judged may have accepted it
	fate   Fate
}

// depth is how deep chains may lie in each other (the kernel's limit is 16).
const depth = 16

// chain returns the word that ends the packet's way, or "" at the chain's end.
func (w *walk) chain(name string, level int) string {
	if level > depth {
		return ""
	}
	for _, r := range w.rules[name] {
		a := r.matches(w.packet)
		if a == no {
			continue
		}
		switch v := r.verdict(w.packet); v.word {
		case "drop":
			w.drop(a, name, r.text)
			if a == yes {
				return "drop"
			}
		case "accept", "return":
			if a == yes {
				return ending(v.word)
			}
			w.doubt = w.doubt || a == unknown
		case "jump", "goto":
			end := w.enter(a, v.to, level)
			if a == yes && (end != "" || v.word == "goto") {
				return end
			}
		}
	}
	return ""
}

func ending(word string) string {
	if word == "return" {
		return ""
	}
	return word
}

// enter follows a jump. Where only some packets take it, a drop in there is one
// of some, and an accept settles nothing.
func (w *walk) enter(a answer, to string, level int) string {
	switch {
	case to == chainForward && w.packet.Allowed:
		return "accept"
	case ours(to):
		return ""
	}
	if a == yes {
		return w.chain(to, level+1)
	}
	aside := walk{rules: w.rules, packet: w.packet}
	end := aside.chain(to, level+1)
	if aside.fate.Outcome > Passes {
		w.drop(some, aside.fate.Chain, aside.fate.By)
	}
	w.doubt = w.doubt || end == "accept" && a == unknown
	return ""
}

// drop notes a drop, if there was none worse.
func (w *walk) drop(a answer, chain, by string) {
	outcome := DropsSome
	switch {
	case a == yes && w.doubt:
		outcome = MightDrop
	case a == yes:
		outcome = DropsThese
	}
	if outcome > w.fate.Outcome {
		w.fate = Fate{outcome, chain, by}
	}
}

// Sees reports whether packets of a family come to the chain.
func (c Chain) Sees(ipv6 bool) bool {
	return c.Family == "inet" || c.Family == map[bool]string{false: "ip", true: "ip6"}[ipv6]
}

// Has reports whether its table has a chain of that name.
func (c Chain) Has(name string) bool {
	_, ok := c.rules[name]
	return ok
}

// Show is the command that shows a chain of the same table.
func (c Chain) Show(chain string) string {
	if c.Program == "nft" {
		return fmt.Sprintf("nft -a list chain %s %s %s", c.Family, c.Table, chain)
	}
	return fmt.Sprintf("%s -t %s -S %s", c.Program, c.Table, chain)
}

// String names the chain and where it stands.
func (c Chain) String() string {
	if c.Program == "nft" {
		return fmt.Sprintf("chain %s of table %s %s (hook %s, priority %d)", c.Name, c.Family, c.Table, c.Hook, c.Priority)
	}
	return fmt.Sprintf("chain %s of table %s (%s)", c.Name, c.Table, c.Program)
}
