package demo

import (
	"context"
	"fmt"
	"math"
	"sort"
	"strings"
	"time"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/probe"
	"github.com/cnetlab/cnet/pkg/netns"
)

// calls are many of the same, one after the other.
type calls struct {
	from, target string
	count        int
	stays        bool // over one connection
}

func (c calls) say(how string) string {
	over := ""
	if c.stays {
		over = " over one connection"
	}
	return fmt.Sprintf("%s -> %s, %d times%s%s", short(c.from), c.target, c.count, over, how)
}

// get is who answered how many, or what went wrong with them: "b1 10, b2 20".
func (c calls) get(want string) look {
	return look{c.say(""), want, func(ctx context.Context, want string) (saw string, err error) {
		for end := time.Now().Add(patience); ; { // a check may have to find out first
			n, err := c.make(ctx)
			if saw = inWords(n); err != nil || saw == want || ctx.Err() != nil || time.Now().After(end) {
				return saw, err
			}
		}
	}}
}

// share is that chance gives each its part of the calls. Not more than one time
// in a million a number is further from that than is allowed here.
func (c calls) share(parts map[string]float64) look {
	return look{c.say(", by chance"), "", func(ctx context.Context, _ string) (string, error) {
		n, err := c.make(ctx)
		for who, part := range parts {
			mean := part * float64(c.count)
			if off := math.Abs(float64(n[who]) - mean); err == nil && off > 5*math.Sqrt(mean*(1-part)) {
				err = fail.New(fail.Unmet, "demo", "%s: expected about %.0f from %s, saw %q", c.say(""), mean, who, inWords(n))
			}
		}
		return inWords(n), err
	}}
}

// make calls, and returns the numbers by who answered and by what went wrong.
func (c calls) make(ctx context.Context) (map[string]int, error) {
	t, err := probe.Parse(c.target)
	if err != nil {
		return nil, err
	}
	var n probe.Tally
	err = netns.Do(c.from, func() error {
		n = probe.Count(ctx, t, probe.Options{Timeout: doubt}, c.count, c.stays)
		return nil
	})
	for what, times := range n.Errors {
		if status, is := strings.CutPrefix(what, "HTTP status "); is {
			what = "HTTP " + status[:min(3, len(status))]
		}
		n.Answers[what] = times
	}
	return n.Answers, err
}

func inWords(numbers map[string]int) string {
	list := make([]string, 0, len(numbers))
	for who, n := range numbers {
		list = append(list, fmt.Sprintf("%s %d", who, n))
	}
	sort.Strings(list)
	return strings.Join(list, ", ")
}
