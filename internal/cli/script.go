package cli

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/cnetlab/cnet/pkg/fact"
)

// writeScript writes a plan as a shell script: each fact a comment, its
// commands below it.
func writeScript(w io.Writer, head string, p fact.Plan) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "# %s\n", head)
	switch {
	case p.Empty():
		fmt.Fprintln(b, "# Nothing is to be done.")
	default:
		fmt.Fprintf(b, "# %s. Run it with: sh -e\n", tally(p))
	}
	for _, s := range p.Steps {
		say := s.Fact.Say()
		switch s.Verb {
		case fact.Break:
			say = "No longer: " + say
		case fact.Mend:
			say = "Again: " + say
		}
		fmt.Fprintf(b, "\n%s\n", wrap("# "+say, "# "))
		for _, c := range s.Fact.Commands(s.Verb) {
			fmt.Fprintln(b, c)
		}
	}
	if len(p.Gone) > 0 {
		fmt.Fprintf(b, "\n# With that, these go by themselves:\n")
		for _, f := range p.Gone {
			fmt.Fprintln(b, wrap("#   "+f.Say(), "#     "))
		}
	}
	return b.Flush()
}

// tally counts what a plan does: "2 facts to undo, 7 to make, 3 more go with them".
func tally(p fact.Plan) string {
	n := map[fact.Verb]int{}
	for _, s := range p.Steps {
		n[s.Verb]++
	}
	var parts []string
	for _, what := range []struct {
		verb fact.Verb
		word string
	}{{fact.Break, "undo"}, {fact.Make, "make"}, {fact.Mend, "mend"}} {
		switch k := n[what.verb]; {
		case k == 0 && (what.verb != fact.Make || len(p.Steps) > 0):
		case len(parts) == 0:
			parts = append(parts, count(k, "fact")+" to "+what.word)
		default:
			parts = append(parts, fmt.Sprintf("%d to %s", k, what.word))
		}
	}
	if g := len(p.Gone); g > 0 {
		parts = append(parts, fmt.Sprintf("%d more go with them", g))
	}
	return strings.Join(parts, ", ")
}
