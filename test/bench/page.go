package main

import (
	"fmt"
	"os"
	"regexp"
	"sort"
	"strings"
	"unicode/utf8"
)

// Where the last figures stand.
const (
	page   = "docs/performance.md"
	plotIn = "docs/plots"
	rawIn  = "build/bench.json"
	trial  = "build/bench-quick.json"
)

// generated are the parts of a page that a program writes, as in test/docs.
var generated = regexp.MustCompile(`(?ms)^<!-- generated: ([^\n]*) -->\n(.*?)^<!-- end -->$`)

// rewrite puts what was measured into the page, part by part; parts about what
// was not measured now stay as they are.
func rewrite(text string, r *report, measured []scenario, z sizes) string {
	parts := make(map[string]string)
	for _, s := range measured {
		parts[s.name] = r.grid(s).markdown()
	}
	if len(measured) == len(scenarios(false)) {
		parts["goals"] = r.goals(z).markdown()
		parts["circumstances"] = wrap(r.circumstances(), 80) + "\n" + r.versions()
	}
	return generated.ReplaceAllStringFunc(text, func(block string) string {
		name := generated.FindStringSubmatch(block)[1]
		part, ok := parts[name]
		if !ok {
			return block
		}
		return "<!-- generated: " + name + " -->\n" + part + "<!-- end -->"
	})
}

// write rewrites the page and draws the plots.
func write(r *report, measured []scenario, z sizes) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return fmt.Errorf("%w (run from the folder of the repository)", err)
	}
	if err := os.WriteFile(page, []byte(rewrite(string(text), r, measured, z)), 0o644); err != nil {
		return err
	}
	return draw(r, plotIn)
}

// versions lists the tools with what they say of themselves.
func (r *report) versions() string {
	var list []string
	for tool, version := range r.Versions {
		if version != "" {
			list = append(list, fmt.Sprintf("| %s | %s |", tool, strings.Join(strings.Fields(version), " ")))
		}
	}
	sort.Strings(list)
	return "\n| tool | version |\n|---|---|\n" + strings.Join(list, "\n") + "\n"
}

// wrap breaks a paragraph into lines of at most so many columns.
func wrap(text string, columns int) string {
	var b strings.Builder
	n := 0
	for _, word := range strings.Fields(text) {
		switch long := utf8.RuneCountInString(word); {
		case n == 0:
			n = long
		case n+1+long > columns:
			b.WriteByte('\n')
			n = long
		default:
			b.WriteByte(' ')
			n += 1 + long
		}
		b.WriteString(word)
	}
	return b.String()
}
