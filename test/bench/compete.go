package main

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"time"

	"github.com/cnetlab/cnet/internal/fail"
)

// share is the time that one lane may take of a scenario, after one round: a
// slow one sits out the rest.
const share = 30 * time.Second

// compete runs the lanes of a scenario side by side: one round of each, in an
// order that changes, and again, so that what else the machine does meets all.
func compete(ctx context.Context, s scenario, o options, r *report) error {
	var workers []*worker
	defer func() {
		for _, w := range workers {
			w.stop()
		}
	}()
	var args []string
	if o.quick {
		args = append(args, "-quick")
	}
	for _, l := range s.lanes {
		begun := time.Now()
		w, err := start(ctx, s, l, args)
		if err != nil {
			w.stop()
			if fail.KindOf(err) == fail.NotPermitted {
				return err // to make sandboxes
			}
			r.leaveOut(s, l, err)
			continue
		}
		progress("%s: %s is set up in %.1f s", s.name, labelOf(s, l), time.Since(begun).Seconds())
		r.Versions[l.tool] = w.version
		workers = append(workers, w)
	}
	spent := make(map[*worker]time.Duration)
	out := make(map[*worker]bool)
	for round := 0; round < s.rounds && ctx.Err() == nil; round++ {
		rand.Shuffle(len(workers), func(i, j int) { workers[i], workers[j] = workers[j], workers[i] })
		for _, w := range workers {
			if out[w] || round > 0 && spent[w] > share {
				continue
			}
			begun := time.Now()
			figures, err := w.measure()
			if err != nil {
				out[w] = true
				r.leaveOut(s, w.lane, fmt.Errorf("round %d: %w", round+1, err))
				continue
			}
			spent[w] += time.Since(begun)
			r.add(s, w.lane, figures)
		}
		progress("%s: round %d of %d", s.name, round+1, s.rounds)
	}
	return ctx.Err()
}

func labelOf(s scenario, l lane) string {
	if s.counts == "" {
		return l.tool
	}
	return fmt.Sprintf("%s, %d %s", l.tool, l.x, s.counts)
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}
