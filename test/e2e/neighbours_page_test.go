package e2e

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestNeighboursPage holds the table of docs/neighbours.md against the rows that
// are tested. UPDATE_SCRIPTS=1 writes it anew.
func TestNeighboursPage(t *testing.T) {
	const page = "../../docs/neighbours.md"
	b, err := os.ReadFile(page)
	if err != nil {
		t.Skip("the documentation is not here: ", err)
	}
	var rows strings.Builder
	for _, b := range besides {
		rows.WriteString(b.pageRow())
	}
	table := regexp.MustCompile(`(?s)(\|---\|---\|---\|---\|---\|---\|\n).*?(<!-- rows -->)`)
	want := table.ReplaceAllStringFunc(string(b), func(s string) string {
		m := table.FindStringSubmatch(s)
		return m[1] + rows.String() + m[2]
	})
	if os.Getenv("UPDATE_SCRIPTS") != "" {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	same(t, page, want, string(b))
}

func (b beside) pageRow() string {
	stops, does, again := strings.Join(b.stops, ", "), "works", "nothing is lost"
	if len(b.stops) > 0 {
		does = "what is left works"
	}
	if stops == "" {
		stops = "nothing"
	}
	if b.says != "" {
		does += "; it says \"" + plainWords(b.says) + "\""
	}
	if b.named != "" {
		does += "; `cnet check` names it: \"" + lower(plainWords(b.named)) + " … drops\""
	}
	switch {
	case b.refused != "":
		stops, does, again = "all", "refused: \""+plainWords(b.refused)+"\"", ""
	case b.lost != "" && len(b.front) > 0:
		again = "`cnet check` names its rule before cnet's; `cnet repair`"
	case len(b.front) > 0:
		again = "nothing is lost; it is before cnet"
	case b.lost != "":
		again = "`cnet check` names what went; `cnet repair`"
	}
	if b.later != "" {
		again += "; after its first start `cnet check` names its rule before cnet's"
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s |\n", b.name, stops, does, again, b.pageNftables(), b.note)
}

// pageNftables is what is otherwise over nftables.
func (b beside) pageNftables() string {
	over := b.over(viaNftables)
	switch {
	case b.nftNamed != "":
		return "stops " + strings.Join(over.stops, ", ") + "; `cnet check` names it: \"" + lower(over.named) + " … drops\""
	case over.lost != "":
		return "the same"
	case b.lost != "" || b.later != "":
		return "nothing is lost"
	}
	return "the same"
}

func lower(sentence string) string { return strings.ToLower(sentence[:1]) + sentence[1:] }

// plainWords is a regular expression without its escapes.
func plainWords(pattern string) string { return strings.ReplaceAll(pattern, `\`, "") }
