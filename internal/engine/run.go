package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/store"
	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
)

// carryOut makes a change true: kernel first, then files, with a journal around both.
func (e *Engine) carryOut(ctx context.Context, what string, s state, c Change) error {
	if err := allVacant(ctx, c.Plan); err != nil {
		return explainFailure(what, err)
	}
	steps, err := remember(ctx, s.made, c.Plan.Steps)
	if err != nil {
		return explainFailure(what, err)
	}
	after := state{topo: c.After, made: s.madeAfter(c, steps), owner: s.owner, only: s.only}
	files, err := e.files(s, after)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if len(steps) == 0 && len(files) == 0 {
		return nil
	}
	j := journal{What: what, Steps: steps, Gone: c.Plan.Gone, Files: files}
	if err := e.prepare(j); err != nil {
		return explainFailure(what, err)
	}
	if e.Watch != nil {
		e.Watch.Start(fact.Plan{Steps: steps, Gone: c.Plan.Gone})
	}
	heard := context.AfterFunc(ctx, func() { e.note("interrupted; the step under way is finished first") })
	defer heard()
	done, err := e.run(ctx, steps)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return e.rollBack(ctx, s, j, done, err)
	}
	return e.save(files)
}

// prepare writes the journal and lays the files ready, so that a full disk is
// found before the kernel is touched.
func (e *Engine) prepare(j journal) error {
	err := e.begin(j)
	if err == nil {
		err = e.Store.Stage(j.Files)
	}
	if err != nil {
		return errors.Join(err, e.Store.Tidy(), e.Store.End())
	}
	return nil
}

// save puts the files of a change in place whose kernel part is done.
func (e *Engine) save(files []store.File) error {
	if err := e.Store.Commit(); err != nil {
		return err
	}
	if err := e.Store.Settle(files); err != nil {
		return fail.New(fail.Failed, "save the change", "the kernel is changed but the files are not: %w", err).
			Try("make room or mend the folder; the next cnet command goes on from here")
	}
	return e.Store.End()
}

func (e *Engine) run(ctx context.Context, steps []fact.Step) ([]fact.Step, error) {
	var o fact.Observer
	if e.Watch != nil {
		o.Before = func(s fact.Step) error { e.Watch.Step(s); return nil }
	}
	return fact.Run(ctx, steps, o)
}

// allVacant refuses a plan that would make what is there already. It is asked
// before the journal is written: whatever the journal names is then cnet's own,
// and a change that was cut off can be undone without touching another's.
func allVacant(ctx context.Context, p fact.Plan) error {
	if _, taken := occupied(ctx, p); len(taken) > 0 {
		return taken[0]
	}
	return nil
}

// vacant looks whether what a step would make is there already, and is not broken before.
func vacant(ctx context.Context, s fact.Step, broken map[fact.Key]bool) *fact.StepError {
	if _, ok := s.Fact.(fact.Creator); !ok || s.Verb != fact.Make || broken[s.Fact.Key()] {
		return nil
	}
	t, err := s.Fact.Probe(ctx)
	if file, ok := s.Fact.(netns.File); ok && file.Left() {
		return nil
	}
	if err == nil && t.State != fact.Absent {
		err = fmt.Errorf("something of that name is there already: %w", fs.ErrExist)
	}
	if err != nil {
		return &fact.StepError{Step: s, Err: err}
	}
	return nil
}

// foreseen are steps as a dry run shows them: with the values that they would
// replace, where this user may look.
func foreseen(ctx context.Context, made []fact.Fact, steps []fact.Step) []fact.Step {
	if found, err := remember(ctx, made, steps); err == nil {
		return found
	}
	return steps
}

// remember has the facts to be made look at the values that they will replace.
// What is made once more, as it was, keeps what it found the first time.
func remember(ctx context.Context, made []fact.Fact, steps []fact.Step) ([]fact.Step, error) {
	out := append([]fact.Step(nil), steps...)
	knows := fact.Index(made)
	for i, s := range out {
		r, ok := s.Fact.(fact.Rememberer)
		if !ok || s.Verb != fact.Make {
			continue
		}
		if was, ok := knows[r.Key()]; ok && fact.Same(was, r) {
			out[i].Fact = was
			continue
		}
		f, err := r.Remember(ctx)
		if err != nil {
			return nil, &fact.StepError{Step: s, Err: err}
		}
		out[i].Fact = f
	}
	return out, nil
}

// madeAfter is the ledger after a change: what was kept and what was made, in
// the order of the facts wanted.
func (s state) madeAfter(c Change, steps []fact.Step) []fact.Fact {
	gone := make(map[fact.Key]bool)
	for _, f := range c.Plan.Gone {
		gone[f.Key()] = true
	}
	var fresh []fact.Fact
	for _, step := range steps {
		if step.Verb == fact.Break {
			gone[step.Fact.Key()] = true
		} else {
			fresh = append(fresh, step.Fact)
		}
	}
	var all []fact.Fact
	for _, f := range s.made {
		if !gone[f.Key()] {
			all = append(all, f)
		}
	}
	return inOrder(append(all, fresh...), s.compile(c.After).Facts)
}

// rollBack takes back the steps that were done and returns the failure in words.
func (e *Engine) rollBack(ctx context.Context, s state, j journal, done []fact.Step, cause error) error {
	if e.Watch != nil {
		e.Watch.Back(cause)
	}
	ctx = context.WithoutCancel(ctx)
	var step *fact.StepError
	if errors.As(cause, &step) && step.Step.Verb == fact.Break {
		done = append(done[:len(done):len(done)], step.With...)
	}
	failure := explainFailure(j.What, cause)
	undone, err := e.undo(ctx, done, j.Gone)
	if err != nil {
		failure.Next = "cnet check, then cnet repair"
		failure.Why += fmt.Sprintf("; taking it back failed too: %v", err)
		return errors.Join(failure, e.giveUp(ctx, s, j))
	}
	if err := errors.Join(e.Store.Tidy(), e.Store.End()); err != nil {
		return errors.Join(failure, err)
	}
	failure.Why += "; " + undone
	return failure
}

// giveUp ends a change that can neither be finished nor undone: the topology
// stays as it was, and the ledger says what stands, so that check can name the
// difference and repair can mend it.
func (e *Engine) giveUp(ctx context.Context, s state, j journal) error {
	if err := errors.Join(e.Store.Tidy(), e.record(s, s.topo, e.left(ctx, s, j.Steps))); err != nil {
		return err // the journal stays, for the next command to try again
	}
	return e.Store.End()
}

// left are the facts of the ledger and of steps whose things are there.
func (e *Engine) left(ctx context.Context, s state, steps []fact.Step) []fact.Fact {
	all := append([]fact.Fact(nil), s.made...)
	for _, step := range steps {
		all = append(all, step.Fact)
	}
	return stillThere(ctx, all)
}

// stillThere are those of facts whose things are there.
func stillThere(ctx context.Context, facts []fact.Fact) (there []fact.Fact) {
	for _, f := range fact.Unique(facts) {
		if t, err := f.Probe(ctx); err == nil && t.State != fact.Absent {
			there = append(there, f)
		}
	}
	return there
}

// record makes the files say what stands, and of which topology.
func (e *Engine) record(s state, after topology.Topology, made []fact.Fact) error {
	files, err := e.recorded(s, after, made)
	if err != nil {
		return err
	}
	return e.Store.Apply(files)
}

// recorded are the files that say what stands, and of which topology.
func (e *Engine) recorded(s state, after topology.Topology, made []fact.Fact) ([]store.File, error) {
	there := s
	there.topo, there.made = after, inOrder(made, s.compile(after).Facts)
	return e.files(s, there)
}

// undo takes steps back, and what went by itself with them, and says how many.
func (e *Engine) undo(ctx context.Context, steps []fact.Step, gone []fact.Fact) (string, error) {
	back := fact.Reverse(steps)
	for i := len(gone) - 1; i >= 0; i-- {
		back = append(back, fact.Step{Verb: fact.Make, Fact: gone[i]})
	}
	return fmt.Sprintf("rolled back (%s undone)", count(len(steps), "step")), settleAll(ctx, back)
}

// settleAll does steps whose outcome may be reached already. It goes on after a
// failure, to leave as little as can be, and returns the first.
func settleAll(ctx context.Context, steps []fact.Step) error {
	var first error
	for len(steps) > 0 {
		n, err := 1, error(nil)
		if breaks := leading(steps, fact.Break); breaks > 0 {
			var done []fact.Step
			if done, err = fact.Run(ctx, steps[:breaks], fact.Observer{}); err != nil {
				n = min(len(done)+1, breaks) // past the one that failed
			} else {
				n = breaks
			}
		} else {
			err = settle(ctx, steps[0])
		}
		if first == nil {
			first = err
		}
		steps = steps[n:]
	}
	return first
}

// leading counts the steps at the head of steps that have this verb.
func leading(steps []fact.Step, v fact.Verb) int {
	for i, s := range steps {
		if s.Verb != v {
			return i
		}
	}
	return len(steps)
}

// settle makes a fact that may hold already.
func settle(ctx context.Context, s fact.Step) error {
	if err := fact.Reach(ctx, "settle "+s.String()); err != nil {
		return &fact.StepError{Step: s, Err: err}
	}
	t, err := s.Fact.Probe(ctx)
	if err == nil && t.State == fact.Differs {
		err = s.Fact.Break(ctx)
	}
	if err == nil && t.State != fact.Holds {
		err = s.Fact.Make(ctx)
	}
	if err != nil {
		return &fact.StepError{Step: s, Err: err}
	}
	return nil
}

// journal is all that is needed to undo or finish a change.
type journal struct {
	What  string
	Steps []fact.Step
	Gone  []fact.Fact // what ends by itself; not written down: a change that breaks is finished
	Files []store.File
	Keep  bool // a repair: none of its steps is taken back; cut off, the next command goes on with it
	// Firewall is the backend that a repair moves the networks to, if it does.
	Firewall string
}

type journalFile struct {
	Version int          `json:"version"`
	Boot    string       `json:"boot"`
	What    string       `json:"what"`
	Steps   []stepRecord `json:"steps"`
	Files   []store.File `json:"files"`
	Keep    bool         `json:"keep,omitempty"`

	Firewall string `json:"firewall,omitempty"`
}

type stepRecord struct {
	Verb string `json:"verb"`
	fact.Record
}

func (e *Engine) begin(j journal) error {
	boot, err := bootID()
	if err != nil {
		return err
	}
	f := journalFile{Version: version, Boot: boot, What: j.What, Files: j.Files, Keep: j.Keep, Firewall: j.Firewall}
	for _, s := range j.Steps {
		r, err := e.codec.Encode(s.Fact)
		if err != nil {
			return err
		}
		f.Steps = append(f.Steps, stepRecord{s.Verb.String(), r})
	}
	data, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return e.Store.Begin(data)
}
