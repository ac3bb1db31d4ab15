package cli

import (
	"fmt"
	"io"

	"github.com/cnetlab/cnet/pkg/fact"
)

// watcher narrates changes on standard error.
func (a *app) watcher() *narrator {
	n := &narrator{w: a.err, style: styleFor(a.err), all: a.explain}
	if !a.explain && a.output == "" {
		n.line = progressOn(a.err)
	}
	return n
}

// end ends what it shows on a terminal, after the last step.
func (n *narrator) end() { n.line.end() }

// narrator tells of a change: every step when all is set, else only what a
// user did not expect.
type narrator struct {
	w     io.Writer
	style style
	all   bool
	line  *progress // where it does not tell all
	n     int
	total int
	gone  []fact.Fact
}

func (n *narrator) Start(p fact.Plan) {
	n.total, n.gone = len(p.Steps), p.Gone
	n.line.start(n.total)
	if n.all {
		fmt.Fprintf(n.w, "%s.\n\n", tally(p))
	}
}

func (n *narrator) Step(s fact.Step) {
	n.n++
	n.line.step(s)
	if !n.all {
		return
	}
	mark := fmt.Sprintf("%3d  ", n.n)
	say, why := s.Fact.Say(), "Without it: "+s.Fact.Why()
	switch s.Verb {
	case fact.Break:
		say, why = "No longer: "+say, ""
	case fact.Mend:
		say = "Again: " + say
	}
	fmt.Fprintln(n.w, mark+n.style.bold(indented(say)))
	if why != "" {
		fmt.Fprintln(n.w, "     "+n.style.dim(indented(why)))
	}
	for _, c := range s.Fact.Commands(s.Verb) {
		fmt.Fprintln(n.w, "       $ "+c.String())
	}
	if n.n == n.total {
		for i, f := range n.gone {
			if i == 0 {
				fmt.Fprintln(n.w, "\n     With that, these go by themselves:")
			}
			fmt.Fprintln(n.w, "       "+f.Say())
		}
		fmt.Fprintln(n.w)
	}
}

func (n *narrator) Back(err error) {
	n.line.end()
	fmt.Fprintln(n.w, wrap("cnet: taking back what was done", "  "))
}

func (n *narrator) Note(s string) {
	n.line.clear()
	fmt.Fprintln(n.w, wrap("cnet: "+s, "  "))
}

// indented wraps text that stands five columns in.
func indented(text string) string {
	return wrap("     "+text, "     ")[5:]
}
