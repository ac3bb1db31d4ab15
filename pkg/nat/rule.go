package nat

import (
	"context"
	"fmt"
	"strings"

	"github.com/cnetlab/cnet/pkg/fact"
)

// Rule is the fact that one plain rule stands in a chain. By hand:
//
//	iptables -t nat -A POSTROUTING -s 172.18.0.0/16 ! -o br0 -j MASQUERADE
//
// A Rule without Args is the chain itself (iptables -N, and to break it -F and
// -X). The other facts of this package are rendered as lists of rules.
type Rule struct {
	On
	Table  string   `json:"table"`           // "filter", "nat", "raw", "mangle"
	Chain  string   `json:"chain"`           // built in ("FORWARD") or one's own
	First  bool     `json:"first,omitempty"` // before all others of the chain
	Args   []string `json:"args,omitempty"`  // matches and target, as for iptables(8)
	Text   string   `json:"text,omitempty"`  // the answer of Say
	Reason string   `json:"reason,omitempty"`
}

// Key is the rule's own text: a rule has no other name.
func (r Rule) Key() fact.Key {
	name := r.Table + " " + r.Chain
	if len(r.Args) > 0 {
		name += " " + strings.Join(r.Args, " ")
	}
	return r.key("nat.rule", strings.TrimSpace(name))
}

// Say is Text, or the rule itself.
func (r Rule) Say() string {
	switch {
	case r.Text != "":
		return r.Text
	case r.isChain():
		return fmt.Sprintf("Table %s has a chain %s.", r.Table, r.Chain)
	}
	return fmt.Sprintf("Chain %s of table %s has the rule %s.", r.Chain, r.Table, strings.Join(r.Args, " "))
}

// Why is Reason, if there is one.
func (r Rule) Why() string {
	if r.Reason == "" {
		return "Somebody wants it there."
	}
	return r.Reason
}

// Probe looks for the rule.
func (r Rule) Probe(ctx context.Context) (fact.Truth, error) { return probe(ctx, r) }

// Make adds the rule; for a chain that exists the error wraps fs.ErrExist.
func (r Rule) Make(ctx context.Context) error { return r.MakeAll(ctx, []fact.Fact{r}) }

// Break deletes the rule.
func (r Rule) Break(ctx context.Context) error { return r.BreakAll(ctx, []fact.Fact{r}) }

// Mend leaves one of the rule, where it stands more than once.
func (r Rule) Mend(ctx context.Context) error { return mend(ctx, r) }

// Commands are the same by hand.
func (r Rule) Commands(v fact.Verb) []fact.Command { return commands(v, r) }

func (r Rule) iptables() []Rule {
	if r.Table == "" || r.Chain == "" {
		return nil
	}
	return []Rule{r}
}

func (r Rule) isChain() bool { return len(r.Args) == 0 }

// chain is the rule that stands for the chain itself.
func (o On) chain(table, name string) Rule {
	return Rule{On: o, Table: table, Chain: name}
}

// rule is a rule at the end of a chain. words are split at spaces; note, if
// any, becomes a comment that readers of iptables-save(8) see.
func (o On) rule(table, chain, words, note, target string) Rule {
	args := strings.Fields(words)
	if note != "" {
		args = append(args, "-m", "comment", "--comment", note)
	}
	args = append(args, "-j")
	return Rule{On: o, Table: table, Chain: chain, Args: append(args, strings.Fields(target)...)}
}

// first is r before all others of its chain.
func (r Rule) first() Rule {
	r.First = true
	return r
}
