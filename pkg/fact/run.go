package fact

import (
	"context"
	"errors"
	"fmt"
)

// StepError is the failure of one step of a plan.
type StepError struct {
	Step Step
	With []Step // all steps of its batch, itself included
	Err  error
}

func (e *StepError) Error() string {
	return fmt.Sprintf("%s: %v", e.Step, e.Err)
}

func (e *StepError) Unwrap() error { return e.Err }

// Observer is told of each step just before it is run and just after. Either
// may be nil.
type Observer struct {
	Before func(Step) error // an error stops the run before the step
	After  func(Step)
}

// WithPoints returns a context in which whoever comes to a point of a change, by
// [Reach], tells it to at. A test stops a change there; at's error fails it.
func WithPoints(ctx context.Context, at func(point string) error) context.Context {
	return context.WithValue(ctx, pointsKey{}, at)
}

type pointsKey struct{}

// Reach says that a change has come to a point at which it may be cut off:
// between two steps, or between two calls of the kernel within one.
func Reach(ctx context.Context, point string) error {
	if at, ok := ctx.Value(pointsKey{}).(func(string) error); ok {
		return at(point)
	}
	return nil
}

// Run does steps in order, neighbours that can go together in one batch. It
// stops at the first failure, which is a [*StepError], or when ctx ends. It
// returns the steps that were done. A make that failed left nothing behind; of a
// batch to break that failed, some may be broken. What is left to wait for (see
// [Later]) has an end before anything is made, and before Run returns.
func Run(ctx context.Context, steps []Step, o Observer) (done []Step, err error) {
	late := new(late)
	ctx = context.WithValue(ctx, lateKey{}, late)
	defer func() {
		if e := late.wait(); err == nil {
			err = e
		}
	}()
	for i := 0; i < len(steps); {
		n := batch(steps[i:])
		group := steps[i : i+n]
		if group[n-1].Verb != Break {
			if err := late.wait(); err != nil {
				return steps[:i], err
			}
		}
		for _, s := range group {
			if err := ctx.Err(); err != nil {
				return steps[:i], &StepError{Step: s, Err: err}
			}
			if o.Before != nil {
				if err := o.Before(s); err != nil {
					return steps[:i], &StepError{Step: s, Err: err}
				}
			}
		}
		if err := Reach(ctx, group[0].String()); err != nil {
			return steps[:i], &StepError{Step: group[0], Err: err}
		}
		late.of = group
		if err := do(ctx, group); err != nil {
			return steps[:i], &StepError{Step: group[0], With: group, Err: err}
		}
		if o.After != nil {
			for _, s := range group {
				o.After(s)
			}
		}
		i += n
	}
	return steps, nil
}

// batch counts the steps at the head of steps that can go together.
func batch(steps []Step) int {
	first, ok := steps[0].Fact.(Batched)
	if !ok || steps[0].Verb == Mend {
		return 1
	}
	_, both := first.(Exchanger)
	n := 1
	for ; n < len(steps); n++ {
		b, ok := steps[n].Fact.(Batched)
		turn := both && steps[n-1].Verb == Break && steps[n].Verb == Make
		if !ok || b.Batch() != first.Batch() || steps[n].Verb != steps[n-1].Verb && !turn {
			break
		}
	}
	return n
}

func do(ctx context.Context, group []Step) error {
	first, verb := group[0].Fact, group[0].Verb
	b, ok := first.(Batched)
	switch {
	case verb == Mend:
		m, ok := first.(Mender)
		if !ok {
			return fmt.Errorf("it cannot be set right in place")
		}
		return m.Mend(ctx)
	case verb != group[len(group)-1].Verb:
		return exchange(ctx, group)
	case ok && verb == Make:
		return b.MakeAll(ctx, factsOf(group))
	case ok:
		return b.BreakAll(ctx, factsOf(group))
	case verb == Make:
		return first.Make(ctx)
	default:
		return first.Break(ctx)
	}
}

// exchange breaks the facts at the head of group, and makes the others.
func exchange(ctx context.Context, group []Step) error {
	e, ok := group[0].Fact.(Exchanger)
	if !ok {
		return fmt.Errorf("it cannot be exchanged")
	}
	n := 0
	for group[n].Verb == Break {
		n++
	}
	return e.Exchange(ctx, factsOf(group[:n]), factsOf(group[n:]))
}

// MakeEach makes facts one after the other, and breaks those made if one fails.
// It is the MakeAll of facts that only go together.
func MakeEach(ctx context.Context, facts []Fact) error {
	for i, f := range facts {
		err := f.Make(ctx)
		if err == nil {
			continue
		}
		for i--; i >= 0; i-- {
			err = errors.Join(err, facts[i].Break(context.WithoutCancel(ctx)))
		}
		return err
	}
	return nil
}

func factsOf(steps []Step) []Fact {
	facts := make([]Fact, len(steps))
	for i, s := range steps {
		facts[i] = s.Fact
	}
	return facts
}
