package docs

import (
	"regexp"
	"strings"
	"testing"
)

// Parts of a page that are made by a test stand between two comments:
//
//	<!-- generated: NAME -->
//	<!-- end -->
var generated = regexp.MustCompile(`(?ms)^<!-- generated: ([^\n]*) -->\n(.*?)^<!-- end -->$`)

// parts returns the generated parts of a page by name.
func parts(text string) map[string]string {
	found := make(map[string]string)
	for _, m := range generated.FindAllStringSubmatch(text, -1) {
		found[m[1]] = m[2]
	}
	return found
}

// settlePart compares one generated part of a page, or writes it anew. Tests that
// write parts of one page must not run at once.
func settlePart(t testing.TB, name, part, should string) {
	t.Helper()
	text := read(t, name)
	if _, ok := parts(text)[part]; !ok {
		t.Errorf("%s has no part %q", name, part)
		return
	}
	settle(t, name, text, generated.ReplaceAllStringFunc(text, func(block string) string {
		if m := generated.FindStringSubmatch(block); m[1] != part {
			return block
		}
		return "<!-- generated: " + part + " -->\n" + should + "<!-- end -->"
	}))
}

// fenced is text as a block of a page.
func fenced(language, text string) string {
	return "```" + language + "\n" + strings.TrimRight(text, "\n") + "\n```\n"
}

// comment is text as comment lines of at most 80 columns, the first begun by mark.
func comment(mark, text string) string {
	indent := "# " + strings.Repeat(" ", len([]rune(mark)))
	var b strings.Builder
	line := "# " + mark
	for i, word := range strings.Fields(text) {
		if len([]rune(line))+1+len([]rune(word)) > 80 {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = indent
		} else if i > 0 {
			line += " "
		}
		line += word
	}
	return b.String() + line + "\n"
}
