package cli

import (
	"bufio"
	"fmt"
	"io"

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
		if s.Verb == fact.Break {
			say = "No longer: " + say
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

// tally counts what a plan does: "7 facts to make, 2 to undo, 3 more go with them".
func tally(p fact.Plan) string {
	n := map[fact.Verb]int{}
	for _, s := range p.Steps {
		n[s.Verb]++
	}
	text := ""
	switch {
	case n[fact.Make] > 0 && n[fact.Break] > 0:
		text = fmt.Sprintf("%s to undo, %d to make", count(n[fact.Break], "fact"), n[fact.Make])
	case n[fact.Break] > 0:
		text = count(n[fact.Break], "fact") + " to undo"
	default:
		text = count(n[fact.Make], "fact") + " to make"
	}
	if g := len(p.Gone); g > 0 {
		text += fmt.Sprintf(", %d more go with them", g)
	}
	return text
}
