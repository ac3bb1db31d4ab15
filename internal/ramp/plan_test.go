package ramp

import (
	"fmt"
	"testing"

	"github.com/cnetlab/cnet/internal/topology"
)

func TestPlan(t *testing.T) {
	two := []topology.Weight{{Name: "v1", Weight: 95}, {Name: "v2", Weight: 5}}
	for _, c := range []struct {
		now      []topology.Weight
		name     string
		to, step int
		want     string
	}{
		{two, "v2", 25, 10, "15:[v1=17 v2=3] 25:[v1=3 v2=1]"},
		{two, "v2", 100, 50, "55:[v1=9 v2=11] 100:[v1=0 v2=1]"},
		{two, "v2", 0, 10, "0:[v1=1 v2=0]"},
		{two, "v2", 5, 10, ""},
		{[]topology.Weight{{Name: "a", Weight: 60}, {Name: "b", Weight: 30}, {Name: "c", Weight: 10}}, "c", 20, 10, "20:[a=8 b=4 c=3]"},
		{[]topology.Weight{{Name: "v1", Weight: 1}, {Name: "v2"}}, "v2", 100, 100, "100:[v1=0 v2=1]"},
	} {
		steps, err := Plan(c.now, c.name, c.to, c.step)
		got := ""
		for _, s := range steps {
			got += fmt.Sprintf(" %d:%s", s.Percent, words(s.Weights))
		}
		if err != nil || got != "" && got[1:] != c.want || got == "" && c.want != "" {
			t.Errorf("%v, %s to %d by %d: %s, %v; want %s", c.now, c.name, c.to, c.step, got, err, c.want)
		}
	}
	if _, err := Plan(two, "v3", 10, 1); err == nil {
		t.Error("a name without a weight can be ramped")
	}
	if _, err := Plan(two[:1], "v1", 10, 1); err == nil {
		t.Error("what is alone can be ramped down")
	}
}

// Every step gives the share that it says, to the fraction, and leaves the
// proportions of the others as they were.
func TestPlanIsExact(t *testing.T) {
	now := []topology.Weight{{Name: "a", Weight: 7}, {Name: "b", Weight: 11}, {Name: "c", Weight: 3}}
	for to := 0; to <= 100; to += 7 {
		steps, err := Plan(now, "c", to, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range steps {
			a, b, c := s.Weights[0].Weight, s.Weights[1].Weight, s.Weights[2].Weight
			if c*100 != s.Percent*(a+b+c) || a*11 != b*7 {
				t.Errorf("%d percent is %v", s.Percent, s.Weights)
			}
		}
	}
}

func words(weights []topology.Weight) string {
	list := make([]string, len(weights))
	for i, w := range weights {
		list[i] = fmt.Sprintf("%s=%d", w.Name, w.Weight)
	}
	return fmt.Sprint(list)
}
