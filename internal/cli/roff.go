package cli

import (
	"fmt"
	"strings"
)

// roff escapes a line for man(7).
func roff(line string) string {
	line = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...").Replace(line)
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		return `\&` + line
	}
	return line
}

// tagged is a list of terms, each with what it means.
func tagged(list [][2]string) string {
	var b strings.Builder
	for _, item := range list {
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(item[0]), roff(item[1]))
	}
	return b.String()
}

// prose keeps paragraphs as they are; lines that are indented are examples,
// which are not to be filled.
func prose(text string) string {
	var b strings.Builder
	example := false
	for _, line := range strings.Split(text, "\n") {
		indented := strings.HasPrefix(line, " ")
		switch {
		case indented && !example:
			b.WriteString(".PP\n.RS 2\n.nf\n")
		case !indented && example:
			b.WriteString(".fi\n.RE\n")
		}
		example = indented
		switch {
		case line == "":
			b.WriteString(".PP\n")
		default:
			b.WriteString(roff(strings.TrimSpace(line)) + "\n")
		}
	}
	if example {
		b.WriteString(".fi\n.RE\n")
	}
	return b.String()
}
