package verify

import (
	"slices"
	"sort"
	"strings"
)

// Tally counts results by their state.
func Tally(results []Result) map[string]int {
	n := make(map[string]int)
	for _, r := range results {
		n[r.State]++
	}
	return n
}

// Group is results that differ in the caller only.
type Group struct {
	Result
	From []string
}

// Say is who calls whom.
func (g Group) Say() string { return strings.Join(g.From, ", ") + " to " + g.target() }

// Groups puts results of a state together whose target and outcome are alike.
func Groups(results []Result, state string) []Group {
	at := make(map[string]int)
	var list []Group
	for _, r := range results {
		if r.State != state {
			continue
		}
		key := r.sortKey()
		i, ok := at[key]
		if !ok {
			i = len(list)
			at[key] = i
			list = append(list, Group{Result: r})
		}
		list[i].From = append(list[i].From, r.Promise.From)
		list[i].Own = list[i].Own && r.Own
	}
	for i := range list {
		list[i].From = heads(list[i].From, rowRank)
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].before(list[j]) })
	return list
}

// before puts first what is open and should not be, and what has one cause
// together.
func (g Group) before(other Group) bool {
	if g.Reach != other.Reach {
		return other.Reach
	}
	return g.Hint < other.Hint
}

// Matrix is a table of who reaches whom: a row for each caller, a column for
// each container, for what lies outside, and for each published port. The first
// row and column are heads.
func Matrix(results []Result) [][]string {
	cells := make(map[[2]string]cell)
	var rows, columns []string
	for _, r := range results {
		k := [2]string{r.From, column(r)}
		rows, columns = append(rows, k[0]), append(columns, k[1])
		cells[k] = cells[k].with(r)
	}
	rows, columns = heads(rows, rowRank), heads(columns, columnRank)
	var table [][]string
	table = append(table, append([]string{`FROM \ TO`}, columns...))
	for _, from := range rows {
		line := []string{from}
		for _, to := range columns {
			line = append(line, cells[[2]string{from, to}].String())
		}
		table = append(table, line)
	}
	return table
}

// column is what a result's cell stands under: a published port without its
// container's side.
func column(r Result) string {
	if r.Published == "" {
		return r.To
	}
	spec, proto, _ := strings.Cut(r.Published, "/")
	return spec[:strings.LastIndex(spec, ":")] + "/" + proto
}

// cell counts the outcomes in one place of the matrix.
type cell struct{ yes, closed, no, open, unproven int }

func (c cell) with(r Result) cell {
	switch {
	case r.State == Unproven:
		c.unproven++
	case r.State == Kept && r.Reach:
		c.yes++
	case r.State == Kept && !r.Addr.IsLoopback(): // by that, a published port is closed to others in any case
		c.closed++
	case r.State == Kept:
	case r.Reach:
		c.no++
	default:
		c.open++
	}
	return c
}

func (c cell) String() string {
	switch {
	case c.open > 0:
		return "OPEN"
	case c.no > 0:
		return "NO"
	case c.yes > 0 && c.closed > 0:
		return "part"
	case c.yes > 0:
		return "yes"
	case c.closed > 0:
		return "-"
	case c.unproven > 0:
		return "?"
	}
	return "."
}

// heads are names, once each, in the order of their ranks and then their own.
func heads(list []string, rank func(string) int) []string {
	slices.Sort(list)
	list = slices.Compact(list)
	sort.SliceStable(list, func(i, j int) bool { return rank(list[i]) < rank(list[j]) })
	return list
}

// rowRank puts containers before the host and the outside.
func rowRank(name string) int {
	switch name {
	case TheHost:
		return 1
	case TheOutside:
		return 2
	}
	return 0
}

// columnRank puts containers before services, these before what lies beyond, and
// published ports last.
func columnRank(name string) int {
	switch {
	case strings.Contains(name, "/"):
		return 4
	case name == Gateway:
		return 3
	case name == TheOutside:
		return 2
	case strings.HasPrefix(name, servicePrefix):
		return 1
	}
	return 0
}
