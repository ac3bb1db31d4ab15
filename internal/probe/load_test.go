package probe

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestLoad counts what many requests meet.
func TestLoad(t *testing.T) {
	var n, open, most atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if now := open.Add(1); now > most.Load() {
			most.Store(now)
		}
		defer open.Add(-1)
		if n.Add(1)%5 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "name     %s\n", r.Header.Get("X-Name"))
	}))
	defer s.Close()
	target, err := Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	o := LoadOptions{Options: Options{Header: http.Header{"X-Name": {"web"}}}, Requests: 500, Workers: 10}
	for _, o.Stays = range []bool{false, true} {
		l := o.Run(context.Background(), target)
		want := []Outcome{{"web", 200, "", 400}, {"", 503, "", 100}}
		if l.Requests != 500 || fmt.Sprint(l.Outcomes) != fmt.Sprint(want) || l.OK() || most.Load() > 10 {
			t.Errorf("%d requests, at most %d at once: %v", l.Requests, most.Load(), l.Outcomes)
		}
		sum := 0
		for _, b := range l.Latency.Buckets {
			sum += b.Count
		}
		if sum != 500 || l.Latency.P50 > l.Latency.P99 || l.Latency.P99 > l.Latency.Max || l.Latency.Min <= 0 {
			t.Errorf("latency %+v", l.Latency)
		}
		for _, line := range strings.Split(l.Text(), "\n") {
			if len(line) > 80 {
				t.Errorf("%d columns: %s", len(line), line)
			}
		}
	}
	s.Close()
	if l := o.Run(context.Background(), target); len(l.Outcomes) != 1 || l.Outcomes[0] != (Outcome{Errno: "ECONNREFUSED", Count: 500}) {
		t.Errorf("nobody is there: %v", l.Outcomes)
	}
}

// TestTurns has as many requests begin as there is time for, not faster than asked.
func TestTurns(t *testing.T) {
	for _, c := range []struct {
		o    LoadOptions
		most int
	}{
		{LoadOptions{Requests: 7}, 7},
		{LoadOptions{Rate: 1000, Duration: 20 * time.Millisecond}, 20},
		{LoadOptions{Rate: 1000, Requests: 5, Duration: time.Hour}, 5},
	} {
		turns, n := &turns{o: c.o, start: time.Now()}, 0
		for turns.next(context.Background()) {
			n++
		}
		if n > c.most || n == 0 || c.o.Requests > 0 && n != c.most {
			t.Errorf("%+v: %d began", c.o, n)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if late := (&turns{o: LoadOptions{Rate: 0.001}, start: time.Now(), begun: 1}); late.next(ctx) {
		t.Error("one began after the end")
	}
}
