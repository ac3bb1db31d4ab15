package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// plot is one picture: a metric over the number that a scenario counts.
type plot struct {
	scenario, metric string
	title, x, y      string
	tools            []string
	log              bool // the axis of x
	each             bool // the metric is for x things; one is drawn
}

func plots() []plot {
	tools := []string{theFloor, iptables, nftables, cniTool("iptables"), cniTool("nftables")}
	return []plot{
		{scenario: "port", metric: "publish", title: "One more published port", x: "ports published", y: "ms", tools: tools},
		{scenario: "conns", metric: "rate", title: "New connections to the last of so many published ports", x: "ports published", y: "connections per second", tools: tools},
		{scenario: "many", metric: "up", title: "Containers on one network in one command, up", x: "containers", y: "ms for each", tools: tools, log: true, each: true},
		{scenario: "many", metric: "gone", title: "Containers on one network in one command, down", x: "containers", y: "ms for each", tools: tools, log: true, each: true},
	}
}

func (p plot) file() string { return p.scenario + "-" + p.metric + ".svg" }

// draw writes the plots for which there are values into a folder.
func draw(r *report, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, p := range plots() {
		lines := p.lines(r)
		if len(lines) == 0 {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, p.file()), []byte(p.svg(lines)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// line is a tool in a plot.
type line struct {
	tool, class string
	points      []point
}

// point has the median and the quartiles.
type point struct{ x, low, y, high float64 }

func (p plot) lines(r *report) (list []line) {
	for i, tool := range p.tools {
		l := line{tool: tool, class: fmt.Sprintf("s%d", i)}
		for _, s := range r.Series {
			if s.Scenario != p.scenario || s.Metric != p.metric || s.Tool != tool {
				continue
			}
			n := 1.0
			if p.each {
				n = float64(s.X)
			}
			l.points = append(l.points, point{float64(s.X),
				quantile(s.Values, 0.25) / n, median(s.Values) / n, quantile(s.Values, 0.75) / n})
		}
		sort.Slice(l.points, func(i, j int) bool { return l.points[i].x < l.points[j].x })
		if len(l.points) > 0 {
			list = append(list, l)
		}
	}
	return list
}

// The picture, in its own units; a page shows it as wide as a line of text.
const (
	width, height            = 720.0, 380.0
	inset, right, top, under = 72.0, 130.0, 44.0, 52.0
)

// colours of the ink, the grid and the tools, on a light page and on a dark one.
var colours = [2][]string{
	{"#1f2328", "#d8dee4", "#6e7781", "#bc4c00", "#0969da", "#8250df", "#1a7f37"},
	{"#e6edf3", "#3d444d", "#9198a1", "#f0883e", "#58a6ff", "#bc8cff", "#3fb950"},
}

// style is written out for both pages: not every program that shows a picture
// knows variables.
func style() string {
	var b strings.Builder
	b.WriteString("<style>\nsvg { font: 13px system-ui, sans-serif }\n.title { font-size: 15px; font-weight: 600 }\n" +
		".end { text-anchor: end }\n.mid { text-anchor: middle }\n.line { fill: none; stroke-width: 2 }\n")
	for i, c := range colours {
		if i == 1 {
			b.WriteString("@media (prefers-color-scheme: dark) {\n")
		}
		fmt.Fprintf(&b, "svg { fill: %s }\n.grid { stroke: %s }\n", c[0], c[1])
		for n, colour := range c[2:] {
			fmt.Fprintf(&b, ".s%d { stroke: %s }\n.f%d { fill: %s }\n", n, colour, n, colour)
		}
	}
	return b.String() + "}\n</style>\n"
}

// svg is the picture. It brings all that it needs, and suits a light page and a dark.
func (p plot) svg(lines []line) string {
	x, y := p.axes(lines)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" role="img" aria-label="%s">`+"\n", width, height, p.title)
	b.WriteString(style())
	fmt.Fprintf(&b, `<text class="title" x="%g" y="22">%s</text>`+"\n", inset, p.title)
	fmt.Fprintf(&b, `<text class="mid" x="%g" y="%g">%s</text>`+"\n", (inset+width-right)/2, height-12, p.x)
	fmt.Fprintf(&b, `<text class="mid" transform="translate(13 %g) rotate(-90)">%s</text>`+"\n", (top+height-under)/2, p.y)
	for _, t := range y.ticks() {
		fmt.Fprintf(&b, `<path class="grid" d="M%g %.1fH%g"/><text class="end" x="%g" y="%.1f">%s</text>`+"\n",
			inset, y.at(t), width-right, inset-6, y.at(t)+4, tick(t))
	}
	for _, t := range x.ticks() {
		fmt.Fprintf(&b, `<path class="grid" d="M%.1f %gV%g"/><text class="mid" x="%.1f" y="%g">%s</text>`+"\n",
			x.at(t), top, height-under, x.at(t), height-under+18, tick(t))
	}
	names := p.places(lines, y)
	for i, l := range lines {
		l.draw(&b, x, y, names[i])
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (l line) draw(b *strings.Builder, x, y axis, name float64) {
	var path []string
	for _, p := range l.points {
		path = append(path, fmt.Sprintf("%.1f,%.1f", x.at(p.x), y.at(p.y)))
		fmt.Fprintf(b, `<path class="%s" d="M%.1f %.1fV%.1f"/>`, l.class, x.at(p.x), y.at(p.low), y.at(p.high))
		fmt.Fprintf(b, `<circle class="%s" cx="%.1f" cy="%.1f" r="3"/>`+"\n", strings.Replace(l.class, "s", "f", 1), x.at(p.x), y.at(p.y))
	}
	end := l.points[len(l.points)-1]
	fmt.Fprintf(b, `<polyline class="line %s" points="%s"/>`, l.class, strings.Join(path, " "))
	fmt.Fprintf(b, `<text class="%s" x="%.1f" y="%.1f">%s</text>`+"\n", strings.Replace(l.class, "s", "f", 1), x.at(end.x)+8, name+4, l.tool)
}

// places are the heights of the names at the ends of lines, far enough apart.
func (p plot) places(lines []line, y axis) []float64 {
	const apart = 16
	order := make([]int, len(lines))
	at := make([]float64, len(lines))
	for i, l := range lines {
		order[i], at[i] = i, y.at(l.points[len(l.points)-1].y)
	}
	sort.Slice(order, func(i, j int) bool { return at[order[i]] < at[order[j]] })
	for i := 1; i < len(order); i++ {
		at[order[i]] = math.Max(at[order[i]], at[order[i-1]]+apart)
	}
	// What was pushed out below goes up again.
	floor := height - under
	for i := len(order) - 1; i >= 0; i-- {
		at[order[i]] = math.Min(at[order[i]], floor)
		floor = at[order[i]] - apart
	}
	return at
}

// axis maps values to places of the picture.
type axis struct {
	low, high, from, to float64
	log                 bool
}

func (p plot) axes(lines []line) (x, y axis) {
	x = axis{math.Inf(1), 0, inset, width - right, p.log}
	y = axis{0, 0, height - under, top, false}
	for _, l := range lines {
		for _, q := range l.points {
			x.low, x.high = math.Min(x.low, q.x), math.Max(x.high, q.x)
			y.high = math.Max(y.high, q.high)
		}
	}
	y.high *= 1.05
	if !p.log {
		x.low = 0
	}
	if x.low == x.high {
		x.high = 2 * x.low
	}
	return x, y
}

func decade(v float64, round func(float64) float64) float64 {
	return math.Pow(10, round(math.Log10(v)))
}

func (a axis) at(v float64) float64 {
	low, high := a.low, a.high
	if a.log {
		low, high, v = math.Log10(low), math.Log10(high), math.Log10(v)
	}
	return a.from + (v-low)/(high-low)*(a.to-a.from)
}

// ticks are round values, four to eight of them, or the decades.
func (a axis) ticks() (list []float64) {
	if a.log {
		for v := decade(a.low, math.Ceil); v <= a.high*1.001; v *= 10 {
			list = append(list, v)
		}
		return list
	}
	step := decade(a.high, math.Floor)
	switch n := a.high / step; {
	case n < 2:
		step /= 5
	case n < 4:
		step /= 2
	}
	for v := 0.0; v <= a.high*1.001; v += step {
		list = append(list, v)
	}
	return list
}

// tick is a value of an axis as text.
func tick(v float64) string {
	if v >= 1000 {
		return grouped(int(v))
	}
	return fmt.Sprintf("%g", math.Round(v*1000)/1000)
}
