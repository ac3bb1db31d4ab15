package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"

	"github.com/cnetlab/cnet/internal/topology"
)

// width is that of the lines that cnet writes for people.
const width = 80

// wrap breaks text at spaces so that its lines fit; the lines after the first
// begin with indent.
func wrap(text, indent string) string {
	lead := text[:len(text)-len(strings.TrimLeft(text, " "))]
	var b strings.Builder
	col := 0
	for i, w := range strings.Fields(text) {
		n := len([]rune(w))
		switch {
		case i == 0:
			b.WriteString(lead)
			col = len(lead)
		case col+1+n > width:
			b.WriteString("\n" + indent)
			col = len(indent)
		default:
			b.WriteByte(' ')
			col++
		}
		b.WriteString(w)
		col += n
	}
	return b.String()
}

// flow wraps the paragraphs of a text, but those that are indented.
func flow(text string) string {
	list := strings.Split(text, "\n\n")
	for i, p := range list {
		if !strings.HasPrefix(p, " ") && !strings.Contains(p, "\n ") && !strings.Contains(p, "\t") {
			list[i] = wrap(p, "")
		}
	}
	return strings.Join(list, "\n\n")
}

// labelled is text, wrapped, beside a label of at most 8 letters.
func labelled(label, text string) string {
	const margin = "         "
	return fmt.Sprintf("%-8s %s", label, wrap(margin+text, margin)[len(margin):])
}

// style marks text on a terminal and leaves it as it is elsewhere.
type style struct{ on bool }

// styleFor is the style for a writer: off for what is no terminal, and where
// NO_COLOR is set (no-color.org).
func styleFor(w io.Writer) style {
	f, ok := w.(*os.File)
	return style{ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func (s style) bold(t string) string { return s.mark("1", t) }
func (s style) dim(t string) string  { return s.mark("2", t) }

func (s style) mark(code, t string) string {
	if !s.on || t == "" {
		return t
	}
	return "\x1b[" + code + "m" + t + "\x1b[0m"
}

// table writes rows in aligned columns.
func table(w io.Writer, rows [][]string) error {
	b := bufio.NewWriter(w) // a tabwriter writes each cell by itself
	tw := tabwriter.NewWriter(b, 0, 8, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(tw, strings.Join(r, "\t"))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	return b.Flush()
}

// data writes v in the form that -o names.
func (a *app) data(v any) error {
	if a.output == "yaml" {
		b, err := topology.YAML(v)
		if err != nil {
			return err
		}
		_, err = a.out.Write(b)
		return err
	}
	enc := json.NewEncoder(a.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// many is more than people read one by one.
const many = 20

// some are words in a row: of many, the first and the last few.
func some(words []string) string {
	const few = 3
	if len(words) > many {
		words = append(append(words[:few:few], "…"), words[len(words)-few:]...)
	}
	return strings.Join(words, " ")
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
