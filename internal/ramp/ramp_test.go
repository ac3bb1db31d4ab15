package ramp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/topology"
)

// record is a service that writes down what it is asked for. From the share
// sick on, every trial request fails.
type record struct {
	said  []string
	sick  int
	share int
}

func (r *record) SetWeights(ctx context.Context, w []topology.Weight) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.said = append(r.said, words(w))
	r.share = 100 * w[1].Weight / (w[0].Weight + w[1].Weight)
	return nil
}

func (r *record) Connections(context.Context) (map[string]uint64, error) {
	return map[string]uint64{"v1": 3, "v2": uint64(len(r.said))}, nil
}

func (r *record) Try(context.Context) error {
	if r.sick > 0 && r.share >= r.sick {
		return errors.New("refused")
	}
	return nil
}

func TestRun(t *testing.T) {
	before := []topology.Weight{{Name: "v1", Weight: 3}, {Name: "v2", Weight: 1}}
	for _, c := range []struct {
		name  string
		sick  int
		limit float64
		said  string
		err   error
	}{
		{name: "all well", said: "[v1=1 v2=1] [v1=1 v2=3] [v1=0 v2=1]"},
		{name: "sick at half", sick: 50, limit: 2, said: "[v1=1 v2=1] [v1=3 v2=1]", err: ErrFailing},
		{name: "sick at the end", sick: 100, limit: 2, said: "[v1=1 v2=1] [v1=1 v2=3] [v1=0 v2=1] [v1=3 v2=1]", err: ErrFailing},
		{name: "sick, and that is fine", sick: 50, limit: 100, said: "[v1=1 v2=1] [v1=1 v2=3] [v1=0 v2=1]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &record{sick: c.sick}
			steps, err := Plan(before, "v2", 100, 25)
			if err != nil {
				t.Fatal(err)
			}
			err = Run(context.Background(), s, before, steps, Options{Every: time.Millisecond, Tries: 10, Limit: c.limit, Watch: func(Look) {}})
			if got := strings.Join(s.said, " "); got != c.said || !errors.Is(err, c.err) {
				t.Errorf("%s, %v; want %s, %v", got, err, c.said, c.err)
			}
		})
	}
}

func TestRunInterrupted(t *testing.T) {
	before := []topology.Weight{{Name: "v1", Weight: 1}, {Name: "v2"}}
	steps, err := Plan(before, "v2", 100, 50)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &record{}
	err = Run(ctx, s, before, steps, Options{Every: time.Hour, Tries: 1 << 30, Watch: func(l Look) {
		if l.Tried == 5 {
			cancel()
		}
	}})
	var back *Aborted
	if !errors.As(err, &back) || !errors.Is(err, context.Canceled) || back.Look.Tried != 5 {
		t.Errorf("Run = %v", err)
	}
	if got := fmt.Sprint(s.said); got != "[[v1=1 v2=1] [v1=1 v2=0]]" {
		t.Errorf("it did %s", got)
	}
}

func TestSince(t *testing.T) {
	got := since(map[string]uint64{"v1": 10, "v2": 5}, map[string]uint64{"v1": 14, "v2": 2, "v3": 1})
	if got["v1"] != 4 || got["v2"] != 2 || got["v3"] != 1 {
		t.Errorf("since = %v", got)
	}
}
