package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// grid is a table, for a terminal or for a page.
type grid struct {
	title string
	head  []string
	rows  [][]string
	notes []string
}

// text is the table for people: the first column to the left, numbers to the right.
func (g grid) text() string {
	width := make([]int, len(g.head))
	for _, row := range append([][]string{g.head}, g.rows...) {
		for i, cell := range row {
			if n := utf8.RuneCountInString(cell); n > width[i] {
				width[i] = n
			}
		}
	}
	var b strings.Builder
	b.WriteString(g.title + "\n")
	for _, row := range append([][]string{g.head}, g.rows...) {
		line := "  "
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				line += cell + pad
			} else {
				line += "  " + pad + cell
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	for _, n := range g.notes {
		b.WriteString("  " + strings.ReplaceAll(wrap(n, 78), "\n", "\n  ") + "\n")
	}
	return b.String()
}

// markdown is the table for a page.
func (g grid) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n| %s |\n|---%s|\n", wrap(g.title, 80), strings.Join(g.head, " | "), strings.Repeat("|--:", len(g.head)-1))
	for _, row := range g.rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
	}
	for _, n := range g.notes {
		b.WriteString("\n" + wrap(n, 80) + "\n")
	}
	return b.String()
}

// columns are the metrics of scenarios, in the order of their tables.
var columns = []string{"up", "down", "publish", "unpublish", "run", "rate",
	"create", "create kB", "create files", "delete", "delete kB", "delete files"}

// grid is the table of a scenario: the median of each metric, its quartiles, and
// how many times the floor that is.
func (r *report) grid(s scenario) grid {
	g := grid{title: s.title + " (" + s.unit + ": median, quartiles)", head: []string{""}, notes: r.notes(s)}
	if s.floor != "" {
		g.title = strings.TrimSuffix(g.title, ")") + ", x " + s.floor + ")"
	}
	if s.counts != "" {
		g.head = append(g.head, s.counts)
	}
	var metrics []string
	for _, c := range columns {
		if !r.measured(func(k key) bool { return k.Scenario == s.name && k.Metric == c }) {
			continue
		}
		metrics = append(metrics, c)
		g.head = append(g.head, c[strings.LastIndex(c, " ")+1:]) // kB of "create kB"
		if withSpread(c) {
			g.head = append(g.head, "")
		}
		if s.floor != "" {
			g.head = append(g.head, "x")
		}
	}
	for _, l := range s.lanes {
		if !r.measured(func(k key) bool { return k.Scenario == s.name && k.Tool == l.tool && k.X == l.x }) {
			continue
		}
		row := []string{l.tool}
		if s.counts != "" {
			row = append(row, grouped(l.x))
		}
		for _, m := range metrics {
			row = append(row, r.cells(s, l, m)...)
		}
		g.rows = append(g.rows, row)
	}
	return g
}

func withSpread(metric string) bool {
	return !strings.HasSuffix(metric, " kB") && !strings.HasSuffix(metric, " files")
}

func (r *report) cells(s scenario, l lane, metric string) []string {
	cells := []string{""}
	if withSpread(metric) {
		cells = append(cells, "")
	}
	if s.floor != "" {
		cells = append(cells, "")
	}
	found := r.find(key{s.name, l.tool, l.x, metric})
	if found == nil {
		return cells
	}
	cells[0] = number(median(found.Values))
	if withSpread(metric) {
		cells[1] = number(quantile(found.Values, 0.25)) + "-" + number(quantile(found.Values, 0.75))
	}
	if base := r.find(key{s.name, s.floor, l.x, metric}); base != nil {
		cells[len(cells)-1] = number(median(found.Values) / median(base.Values))
	}
	return cells
}

// measured reports whether there are values of any series that is meant.
func (r *report) measured(meant func(key) bool) bool {
	for _, s := range r.Series {
		if meant(s.key) {
			return true
		}
	}
	return false
}

// notes say which tools return before their links are gone, and which were left out.
func (r *report) notes(s scenario) (list []string) {
	for _, l := range s.lanes {
		down, gone := r.find(key{s.name, l.tool, l.x, "down"}), r.find(key{s.name, l.tool, l.x, "gone"})
		if down == nil || gone == nil {
			continue
		}
		if d, g := median(down.Values), median(gone.Values); g > 1.1*d+1 {
			list = append(list, fmt.Sprintf("%s returns before its links are gone, after %s ms.", labelOf(s, l), number(g)))
		}
	}
	for _, l := range r.Left {
		if l.Scenario == s.name {
			list = append(list, fmt.Sprintf("Left out: %s: %s.", labelOf(s, lane{tool: l.Tool, x: l.X}), l.Why))
		}
	}
	return list
}
