package main

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cnetlab/cnet/internal/fail"
)

// TestQuick runs scripts/bench in small: every scenario, cnet and the floor. What
// the figures are is no matter here.
func TestQuick(t *testing.T) {
	cmd := exec.Command("scripts/bench", "--quick")
	cmd.Dir = "../.."
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == int(fail.NotPermitted) {
		t.Skipf("%s", out)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r, err := readReport("../../" + trial)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range r.Left {
		t.Errorf("%s: %s, %d was left out: %s", l.Scenario, l.Tool, l.X, l.Why)
	}
	for _, s := range scenarios(true) {
		if g := r.grid(s); len(g.rows) < 2 {
			t.Errorf("%s has no rows to compare:\n%s", s.name, g.text())
		}
	}
	if dir := t.TempDir(); draw(r, dir) != nil || len(files(t, dir)) != len(plots()) {
		t.Errorf("drawn are only %v", files(t, dir))
	}
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		names = append(names, f.Name())
	}
	return names
}

func TestQuantile(t *testing.T) {
	for _, c := range []struct {
		values []float64
		q      float64
		want   float64
	}{
		{nil, 0.5, 0},
		{[]float64{3}, 0.25, 3},
		{[]float64{4, 1, 3, 2}, 0.5, 2.5},
		{[]float64{5, 1, 4, 2, 3}, 0.25, 2},
		{[]float64{5, 1, 4, 2, 3}, 1, 5},
	} {
		if got := quantile(c.values, c.q); got != c.want {
			t.Errorf("quantile %v of %v is %v, not %v", c.q, c.values, got, c.want)
		}
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0.004: "0.00", 3.14159: "3.14", 42.42: "42.4", 99.97: "100.0", 123.6: "124", 22500: "22,500", 1234567: "1,234,567"} {
		if got := number(v); got != want {
			t.Errorf("%v is %q, not %q", v, got, want)
		}
	}
}

// TestRewrite: what was measured is put into the page, the rest of it stays.
func TestRewrite(t *testing.T) {
	s := scenario{name: "one", title: "One", unit: "ms", floor: theFloor, lanes: []lane{{tool: theFloor}, {tool: iptables}}}
	r := &report{}
	r.add(s, s.lanes[0], map[string]float64{"up": 4})
	r.add(s, s.lanes[1], map[string]float64{"up": 6})
	page := "before\n<!-- generated: one -->\nold\n<!-- end -->\nbetween\n<!-- generated: many -->\nkept\n<!-- end -->\nafter\n"
	want := `before
<!-- generated: one -->
One (ms: median, quartiles, x floor)

|  | up |  | x |
|---|--:|--:|--:|
| floor | 4.00 | 4.00-4.00 | 1.00 |
| cnet, iptables | 6.00 | 6.00-6.00 | 1.50 |
<!-- end -->
between
<!-- generated: many -->
kept
<!-- end -->
after
`
	if diff := cmp.Diff(want, rewrite(page, r, []scenario{s}, sizesOf(true))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestGoals: a bound is met or not, and is not judged without figures.
func TestGoals(t *testing.T) {
	s := scenario{name: "one"}
	r := &report{}
	r.add(s, lane{tool: mapped, x: 1}, map[string]float64{"up": 4})
	r.add(s, lane{tool: nftables, x: 1}, map[string]float64{"up": 5})
	r.add(s, lane{tool: iptables, x: 1}, map[string]float64{"up": 20})
	want := [][]string{
		{"one up: cnet, nftables / floor", "1.25 x", "at most 1.5 x", "met"},
		{"one up: cnet, iptables / floor", "5.00 x", "at most 2.5 x", "not met"},
	}
	if diff := cmp.Diff(want, r.goals(sizesOf(true)).rows); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
