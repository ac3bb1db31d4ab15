package probe

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// Tally is who answered how many calls.
type Tally struct {
	Target  Target         `json:"target"`
	Calls   int            `json:"calls"`
	Answers map[string]int `json:"answers"` // by who answered
	Errors  map[string]int `json:"errors"`  // by what went wrong: an errno, or a status of HTTP
}

// Count asks the target so many times, one after the other: each time over a new
// connection or, if stays, over one, as long as it stands. It ends early with ctx.
func Count(ctx context.Context, t Target, o Options, calls int, stays bool) Tally {
	c := client{target: t, Options: o, stays: stays}
	defer c.close()
	n := Tally{Target: t, Answers: make(map[string]int), Errors: make(map[string]int)}
	for n.Calls < calls && ctx.Err() == nil {
		n.add(c.run(ctx))
	}
	return n
}

func (n *Tally) add(r Result) {
	n.Calls++
	switch {
	case r.OK:
		n.Answers[r.who()]++
	case r.Errno != "":
		n.Errors[r.Errno]++
	default:
		n.Errors[r.Error]++
	}
}

// who names the one who answered: a server of cnet's says its name.
func (r Result) who() string {
	if r.Target.Scheme == TCP {
		return r.Remote
	}
	first, _, _ := strings.Cut(r.Body, "\n")
	if words := strings.Fields(first); len(words) == 2 && words[0] == "name" && strings.IndexFunc(first, unseen) < 0 {
		return words[1]
	}
	if r.Target.Scheme == UDP {
		return r.Remote
	}
	return fmt.Sprintf("HTTP status %d", r.Status)
}

// unseen is what could steer a terminal.
func unseen(r rune) bool { return !strconv.IsPrint(r) }

// OK reports whether every call was answered.
func (n Tally) OK() bool { return len(n.Errors) == 0 }

// Text is the tally for people, a line for each who answered and each error. It
// ends with a newline.
func (n Tally) Text() string {
	var b strings.Builder
	b.WriteString("CALLS  ANSWER\n")
	for _, m := range []map[string]int{n.Answers, n.Errors} {
		keys := make([]string, 0, len(m))
		for k := range m {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			fmt.Fprintf(&b, "%5d  %s\n", m[k], k)
		}
	}
	return b.String()
}
