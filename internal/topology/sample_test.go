package topology

import (
	"fmt"
	"slices"
	"testing"
)

func TestSample(t *testing.T) {
	var topo Topology
	for i := 0; i < 100; i++ {
		c := Container{Name: fmt.Sprintf("c%02d", i)}
		if i%10 == 1 {
			c.Share = fmt.Sprintf("c%02d", i-1)
		}
		topo.Containers = append(topo.Containers, c)
	}
	topo.Expect = []Expectation{{From: "c00", To: Target{Name: "c50"}}, {From: "c02", To: Target{Name: "host"}}}
	names := func(s Topology) (list []string) {
		for _, c := range s.Containers {
			if c.Share == "" {
				list = append(list, c.Name)
			} else if _, err := s.Container(c.Share); err != nil {
				t.Errorf("%s shares what was not chosen", c.Name)
			}
		}
		return list
	}
	one, same, other := names(topo.Sample(20, 7)), names(topo.Sample(20, 7)), names(topo.Sample(20, 8))
	if len(one) != 20 || !slices.Equal(one, same) || slices.Equal(one, other) {
		t.Errorf("by 7: %v and %v, by 8: %v", one, same, other)
	}
	if all := topo.Sample(1000, 1); len(all.Containers) != 100 || len(all.Expect) != 2 || len(topo.Containers) != 100 {
		t.Errorf("of 1000 there are %d", len(all.Containers))
	}
	if none := topo.Sample(1, 3); len(none.Expect) > 1 {
		t.Errorf("expected of who was not chosen: %v", none.Expect)
	}
}

// A service is of a sample if all of its backends are: any of them may be called.
func TestSampleOfServices(t *testing.T) {
	topo := shop(t, nil)
	if all, some := topo.Sample(5, 1), topo.Sample(4, 1); len(all.Services) != 1 || len(some.Services) != 0 {
		t.Errorf("services of a sample of all: %v, of some: %v", all.Services, some.Services)
	}
}
