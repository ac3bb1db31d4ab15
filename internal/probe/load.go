package probe

import (
	"context"
	"fmt"
	"math"
	"sort"
	"strings"
	"sync"
	"time"
)

// LoadOptions say how many ask, and how often.
type LoadOptions struct {
	Options
	Requests int           // in all; 0 is as many as there is time for
	Workers  int           // who ask at once; 0 is 1
	Rate     float64       // requests a second, of all together; 0 is as fast as they are answered
	Duration time.Duration // after which no more begin; 0 is no end
	Stays    bool          // each asks over one connection, as long as it stands
}

// Load is what many requests met.
type Load struct {
	Target   Target        `json:"target"`
	Requests int           `json:"requests"`
	Elapsed  time.Duration `json:"elapsed_ns"`
	Outcomes []Outcome     `json:"outcomes"`
	Latency  Latency       `json:"latency"`
}

// Outcome is an answer, or what went wrong, and how often.
type Outcome struct {
	Server string `json:"server,omitempty"` // who answered: a server of cnet's says its name
	Status int    `json:"status,omitempty"` // of HTTP
	Errno  string `json:"errno,omitempty"`  // see [Result]
	Count  int    `json:"count"`
}

// failed reports whether the outcome is none that a client could live with.
func (o Outcome) failed() bool { return o.Errno != "" || o.Status >= 500 }

// OK reports whether all were answered, and none with a status of 500 or more.
func (l Load) OK() bool {
	for _, o := range l.Outcomes {
		if o.failed() {
			return false
		}
	}
	return l.Requests > 0
}

// Run asks until the requests are done, the time is over, or ctx ends; what was
// counted so far is the result.
func (o LoadOptions) Run(ctx context.Context, t Target) Load {
	n := &counting{outcomes: make(map[Outcome]int)}
	start := time.Now()
	begun := &turns{o: o, start: start}
	var all sync.WaitGroup
	for w := 0; w < max(1, o.Workers); w++ {
		all.Add(1)
		go func() {
			defer all.Done()
			c := client{target: t, Options: o.Options, stays: o.Stays, whole: true}
			defer c.close()
			for begun.next(ctx) {
				if r := c.run(ctx); ctx.Err() == nil || r.OK {
					n.add(r)
				}
			}
		}()
	}
	all.Wait()
	return n.load(t, time.Since(start))
}

// turns gives each request its turn.
type turns struct {
	o     LoadOptions
	start time.Time
	mu    sync.Mutex
	begun int
}

// next waits until the next request may begin, and reports whether there is one.
func (t *turns) next(ctx context.Context) bool {
	t.mu.Lock()
	n := t.begun
	t.begun++
	t.mu.Unlock()
	var at time.Duration
	if t.o.Rate > 0 {
		at = time.Duration(float64(n) / t.o.Rate * float64(time.Second))
	}
	if t.o.Requests > 0 && n >= t.o.Requests || t.o.Duration > 0 && max(at, time.Since(t.start)) >= t.o.Duration {
		return false
	}
	timer := time.NewTimer(at - time.Since(t.start))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// counting is what was met so far.
type counting struct {
	mu       sync.Mutex
	outcomes map[Outcome]int
	took     []time.Duration
}

func (n *counting) add(r Result) {
	o := Outcome{Status: r.Status, Errno: r.Errno}
	if r.Errno == "" {
		if o.Server = r.who(); strings.HasPrefix(o.Server, "HTTP status") {
			o.Server = ""
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.outcomes[o]++
	n.took = append(n.took, r.Elapsed)
}

func (n *counting) load(t Target, elapsed time.Duration) Load {
	l := Load{Target: t, Requests: len(n.took), Elapsed: elapsed, Outcomes: []Outcome{}, Latency: latencyOf(n.took)}
	for o, count := range n.outcomes {
		o.Count = count
		l.Outcomes = append(l.Outcomes, o)
	}
	sort.Slice(l.Outcomes, func(i, j int) bool {
		a, b := l.Outcomes[i], l.Outcomes[j]
		if a.failed() != b.failed() {
			return b.failed()
		}
		return fmt.Sprint(a.Status, a.Errno, a.Server) < fmt.Sprint(b.Status, b.Errno, b.Server)
	})
	return l
}

// Latency is how long requests took.
type Latency struct {
	Min     time.Duration `json:"min_ns"`
	P50     time.Duration `json:"p50_ns"`
	P90     time.Duration `json:"p90_ns"`
	P99     time.Duration `json:"p99_ns"`
	Max     time.Duration `json:"max_ns"`
	Buckets []Bucket      `json:"buckets,omitempty"`
}

// Bucket is how many requests took longer than the bucket before says, and at most
// so long.
type Bucket struct {
	To    time.Duration `json:"to_ns"`
	Count int           `json:"count"`
}

// latencyOf sums up. The bounds of the buckets are 1, 2 and 5 of each power of ten.
func latencyOf(took []time.Duration) (l Latency) {
	if len(took) == 0 {
		return l
	}
	sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
	at := func(part float64) time.Duration {
		return took[min(len(took)-1, int(math.Ceil(part*float64(len(took))))-1)]
	}
	l = Latency{Min: took[0], P50: at(0.5), P90: at(0.9), P99: at(0.99), Max: took[len(took)-1]}
	for unit := time.Microsecond; len(took) > 0; unit *= 10 {
		for _, n := range []time.Duration{1, 2, 5} {
			i := sort.Search(len(took), func(i int) bool { return took[i] > n*unit })
			if i > 0 || len(l.Buckets) > 0 && len(took) > 0 {
				l.Buckets = append(l.Buckets, Bucket{n * unit, i})
			}
			took = took[i:]
		}
	}
	return l
}

// Text is the load for people. It ends with a newline.
func (l Load) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests in %s", l.Requests, round(l.Elapsed))
	if l.Elapsed > 0 && l.Requests > 0 {
		fmt.Fprintf(&b, ", %.0f a second", float64(l.Requests)/l.Elapsed.Seconds())
	}
	b.WriteString("\n\nREQUESTS  PART    OUTCOME\n")
	for _, o := range l.Outcomes {
		fmt.Fprintf(&b, "%8d  %5.1f%%  %s\n", o.Count, 100*float64(o.Count)/float64(l.Requests), o.words())
	}
	if l.Requests == 0 {
		return b.String()
	}
	t := l.Latency
	fmt.Fprintf(&b, "\nhalf took at most %s, 90%% %s, 99%% %s, all %s\n\n", round(t.P50), round(t.P90), round(t.P99), round(t.Max))
	most := 0
	for _, k := range t.Buckets {
		most = max(most, k.Count)
	}
	for _, k := range t.Buckets {
		const width = 50
		line := fmt.Sprintf("to %6s  %8d  %s", k.To, k.Count, strings.Repeat("#", (k.Count*width+most-1)/most))
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

func (o Outcome) words() string {
	var words []string
	if o.Status != 0 {
		words = append(words, fmt.Sprint(o.Status))
	}
	for _, w := range []string{o.Errno, o.Server} {
		if w != "" {
			words = append(words, w)
		}
	}
	line := []rune(strings.Join(words, " "))
	if most := 80 - len("REQUESTS  PART    "); len(line) > most {
		line = append(line[:most-2], '.', '.')
	}
	return string(line)
}

// round shows a time with three digits.
func round(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit)
}
