package ramp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cnetlab/cnet/internal/topology"
)

// Service is what a ramp needs of the service whose traffic moves.
type Service interface {
	// SetWeights gives backends and groups new weights.
	SetWeights(context.Context, []topology.Weight) error
	// Connections counts the connections that each weight's backends were given
	// so far. The counts never fall but when the rules were made anew.
	Connections(context.Context) (map[string]uint64, error)
	// Try asks one of the backends whose share moves, each in turn, and reports
	// what went wrong.
	Try(context.Context) error
}

// Options of a ramp.
type Options struct {
	Every time.Duration // how long a step lasts
	Tries int           // trial requests in each step
	Limit float64       // percent of them that may fail; more end the ramp
	Watch func(Look)    // is told after each trial request, and last when the step is done
}

// Look is what was seen of a step so far.
type Look struct {
	Step
	Given  map[string]uint64 // connections in this step, by the name of the weight
	Tried  int
	Failed int
	Last   error // what went wrong last
	Done   bool  // the step is over
}

// Rate is the share of failed trial requests, in percent.
func (l Look) Rate() float64 {
	if l.Tried == 0 {
		return 0
	}
	return 100 * float64(l.Failed) / float64(l.Tried)
}

// Aborted is the error of a ramp that was taken back: the weights are as they
// were before it.
type Aborted struct {
	Look Look
	Err  error // why: too many failures, an interrupt, or a change that failed
}

func (a *Aborted) Error() string { return a.Err.Error() }
func (a *Aborted) Unwrap() error { return a.Err }

// ErrFailing is the error of a ramp that more trial requests failed in than may.
var ErrFailing = errors.New("too many trial requests failed")

// ErrTaken is the error of [Service.SetWeights] where another command has changed the
// weights since. A ramp that meets it leaves them alone.
var ErrTaken = errors.New("another command has changed the weights meanwhile")

// Run takes steps, one after the other. When one fails, or ctx ends, it gives
// back the weights of before and returns an [Aborted]; if that fails too, the
// error of that.
func Run(ctx context.Context, s Service, before []topology.Weight, steps []Step, o Options) error {
	for _, step := range steps {
		look, err := o.take(ctx, s, step)
		if err == nil {
			continue
		}
		if errors.Is(err, ErrTaken) {
			return err
		}
		if back := s.SetWeights(context.WithoutCancel(ctx), before); back != nil {
			return fmt.Errorf("%w; the weights stay as they are: %w", err, back)
		}
		return &Aborted{look, err}
	}
	return nil
}

// take takes one step and looks at it until it is over.
func (o Options) take(ctx context.Context, s Service, step Step) (Look, error) {
	look := Look{Step: step}
	if err := s.SetWeights(ctx, step.Weights); err != nil {
		return look, err
	}
	start, err := s.Connections(ctx)
	if err != nil {
		return look, err
	}
	tick := time.NewTicker(max(o.Every/time.Duration(o.Tries), time.Millisecond))
	defer tick.Stop()
	for !look.Done {
		select {
		case <-ctx.Done():
			return look, ctx.Err()
		case <-tick.C:
		}
		if err := s.Try(ctx); err != nil {
			look.Failed, look.Last = look.Failed+1, err
		}
		look.Tried++
		look.Done = look.Tried == o.Tries
		now, err := s.Connections(ctx)
		if err != nil {
			return look, err
		}
		look.Given = since(start, now)
		// What is too much of the whole is so whatever the rest brings.
		failing := float64(look.Failed)*100 > o.Limit*float64(o.Tries)
		look.Done = look.Done || failing
		o.Watch(look)
		if failing {
			return look, ErrFailing
		}
	}
	return look, nil
}

// since are the connections between two counts. A count that fell began anew.
func since(start, now map[string]uint64) map[string]uint64 {
	given := make(map[string]uint64, len(now))
	for name, n := range now {
		if was := start[name]; was <= n {
			n -= was
		}
		given[name] = n
	}
	return given
}
