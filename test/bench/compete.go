package main

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"time"

	"github.com/cnetlab/cnet/internal/fail"
)

// share is the time that one lane may take of a scenario: once it has, it sits out
// the rest.
const share = 30 * time.Second

// compete runs the lanes of a scenario side by side: one round of each, in an
// order that changes, and again, so that what else the machine does meets all.
func compete(ctx context.Context, s scenario, o options, r *report) error {
	workers, err := startAll(ctx, s, o, r)
	defer func() {
		for _, w := range workers {
			w.stop()
		}
	}()
	for round := 1; round <= s.rounds && err == nil; round++ {
		rand.Shuffle(len(workers), func(i, j int) { workers[i], workers[j] = workers[j], workers[i] })
		for _, w := range workers {
			if w.spent > share || w.failed {
				continue
			}
			figures, problem := w.measure()
			if err = ctx.Err(); err != nil {
				return err
			}
			if problem != nil {
				w.failed = true
				r.leaveOut(s, w.lane, fmt.Errorf("round %d: %w", round, problem))
				continue
			}
			r.add(s, w.lane, figures)
		}
		progress("%s: round %d of %d", s.name, round, s.rounds)
	}
	return err
}

// startAll sets up the lanes, one after the other, and leaves out what cannot be.
func startAll(ctx context.Context, s scenario, o options, r *report) (workers []*worker, err error) {
	var args []string
	if o.quick {
		args = append(args, "-quick")
	}
	for _, l := range s.lanes {
		begun := time.Now()
		w, err := start(ctx, s, l, args)
		switch {
		case ctx.Err() != nil:
			return workers, ctx.Err()
		case fail.KindOf(err) == fail.NotPermitted: // to make sandboxes
			return workers, err
		case err != nil:
			r.leaveOut(s, l, err)
			continue
		}
		progress("%s: %s is set up in %.1f s", s.name, labelOf(s, l), time.Since(begun).Seconds())
		r.Versions[l.tool] = w.version
		workers = append(workers, w)
	}
	return workers, nil
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
