package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/bridge"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/cnetlab/cnet/pkg/veth"
)

// Repair makes true what the topology wants and the kernel has not, with the
// fewest changes, and takes away what carries cnet's mark though nobody wants it.
// Every step brings the host closer to what it was meant to be, so none is taken
// back: what cannot be mended is named, and the rest is mended all the same. The
// plan of the change returned holds the steps that were done. what is the
// command, for the lock and the journal.
func (e *Engine) Repair(ctx context.Context, what string, dry bool) (Change, error) {
	ctx, s, done, err := e.openWhole(ctx, what, dry, e.restore)
	if err != nil {
		return Change{}, err
	}
	defer done()
	return e.mendAll(ctx, what, s, dry)
}

// mendAll is Repair once the state is loaded.
func (e *Engine) mendAll(ctx context.Context, what string, s state, dry bool) (Change, error) {
	wanted := topology.Compile(s.topo)
	st := standing(s, wanted, probeAll(ctx, wanted))
	strays, err := e.strays(ctx, s.made, wanted)
	if err != nil {
		return Change{}, explainFailure(what, err)
	}
	if err := learn(ctx, s, st.there); err != nil {
		return Change{}, explainFailure(what, err)
	}
	there := append(st.there, append(unwanted(s.made, wanted), strays...)...)
	c := Change{Before: s.topo, After: s.topo}
	c.Plan = fact.Mending(fact.Diff(there, wanted.Facts, st.anew...), there, wanted.Facts, st.mend)
	if dry {
		c.Plan.Steps = foreseen(ctx, s.made, c.Plan.Steps)
		return c, nil
	}
	return e.mend(ctx, what, s, there, c)
}

// stand is what of a topology the kernel has.
type stand struct {
	there []fact.Fact // what is there, as the ledger remembers it
	mend  []fact.Key  // there, to be set right in place
	anew  []fact.Key  // there, but not as it should be: to be made anew
}

// standing judges what a look at the wanted facts found. What the ledger does not
// know and what bears no mark of cnet's is another's, and so is all within it.
func standing(s state, wanted topology.Compiled, found []Finding) (st stand) {
	made := fact.Index(s.made)
	foreign := foreigners(made, found)
	for _, look := range found {
		f, k := look.Fact, look.Fact.Key()
		if look.Err != nil || look.Truth.State == fact.Absent || foreign[k] || fact.DependsOn(f, foreign) {
			continue
		}
		m, known := made[k]
		if known {
			f = m
		}
		_, mender := f.(fact.Mender)
		_, value := f.(fact.Rememberer)
		switch {
		case look.Truth.State != fact.Differs:
		case look.Truth.InPlace && mender:
			st.mend = append(st.mend, k)
		case value && !known:
			continue // another's value, which is remembered and replaced
		default:
			st.anew = append(st.anew, k)
		}
		st.there = append(st.there, f)
	}
	return st
}

// learn has the values that cnet has not set, as far as the ledger knows, remember
// what they are: that is what the host gets back in the end.
func learn(ctx context.Context, s state, there []fact.Fact) error {
	for i, f := range there {
		r, ok := f.(fact.Rememberer)
		if !ok || s.owner[f.Key()] != "" {
			continue
		}
		var err error
		if there[i], err = r.Remember(ctx); err != nil {
			return err
		}
	}
	return nil
}

// foreigners are the things of wanted names that somebody else has made. The
// ledger proves a thing to be cnet's, and where that was lost, the thing itself
// does if it is just as wanted: links bear a mark, and chains a name. A namespace
// bears none; the cable that leads into it does.
func foreigners(made map[fact.Key]fact.Fact, found []Finding) map[fact.Key]bool {
	foreign := make(map[fact.Key]bool)
	cabled := make(map[string]bool)
	for _, look := range found {
		if p, ok := look.Fact.(veth.Pair); ok && look.Truth.State == fact.Holds {
			cabled[p.PeerNetns] = true
		}
	}
	for _, look := range found {
		k := look.Fact.Key()
		_, creator := look.Fact.(fact.Creator)
		if _, known := made[k]; known || !creator || look.Truth.State == fact.Absent {
			continue
		}
		proven := look.Truth.State == fact.Holds
		if path, ok := namespace(look.Fact); ok {
			proven = proven && cabled[path]
		}
		if !proven {
			foreign[k] = true
		}
	}
	return foreign
}

// namespace is the path of the namespace that a fact makes.
func namespace(f fact.Fact) (path string, ok bool) {
	switch f := f.(type) {
	case netns.Named:
		return f.Path, true
	case netns.Bind:
		return f.Path, true
	}
	return "", false
}

// unwanted are the facts of the ledger that the topology does not want: of an
// object whose file was lost.
func unwanted(made []fact.Fact, wanted topology.Compiled) []fact.Fact {
	var list []fact.Fact
	for _, f := range made {
		if wanted.Owner[f.Key()] == "" {
			list = append(list, f)
		}
	}
	return list
}

// strays are the things that carry cnet's mark though neither the topology nor
// the ledger knows them.
func (e *Engine) strays(ctx context.Context, made []fact.Fact, wanted topology.Compiled) ([]fact.Fact, error) {
	known := fact.Index(made)
	var list []fact.Fact
	for _, owned := range []func(context.Context) ([]fact.Fact, error){netns.OwnedFiles, bridge.Owned, veth.Owned} {
		facts, err := owned(ctx)
		if err != nil {
			return nil, err
		}
		for _, f := range facts {
			if known[f.Key()] == nil && wanted.Owner[f.Key()] == "" {
				list = append(list, f)
			}
		}
	}
	rules, err := nat.Stray(ctx, append(wanted.Facts[:len(wanted.Facts):len(wanted.Facts)], made...))
	return append(list, rules...), err
}

// mend does what it can of a plan, and writes down what then stands.
func (e *Engine) mend(ctx context.Context, what string, s state, there []fact.Fact, c Change) (Change, error) {
	steps, failed := occupied(ctx, c.Plan)
	steps, err := remember(ctx, s.made, steps)
	if err != nil {
		return Change{}, explainFailure(what, err)
	}
	var done []fact.Step
	if len(steps) > 0 {
		if err := e.begin(journal{What: what, Steps: steps, Keep: true}); err != nil {
			return Change{}, explainFailure(what, errors.Join(err, e.Store.End()))
		}
		if e.Watch != nil {
			e.Watch.Start(fact.Plan{Steps: steps, Gone: c.Plan.Gone})
		}
		var broken []*fact.StepError
		done, broken = e.pursue(ctx, steps)
		failed = append(failed, broken...)
	}
	c.Plan.Steps = done
	made := state{made: there}.madeAfter(c, done)
	if len(failed) > 0 || len(done) < len(steps) {
		made = stillThere(context.WithoutCancel(ctx), append(there, made...))
	}
	err = e.record(s, made)
	if err == nil {
		err = e.Store.End()
	}
	if err != nil {
		return c, explainFailure(what, err)
	}
	return c, unmended(ctx, what, len(done), failed)
}

// occupied takes out of a plan what would make things that somebody else has
// made meanwhile, and what needs those.
func occupied(ctx context.Context, p fact.Plan) (free []fact.Step, taken []*fact.StepError) {
	broken, lost := make(map[fact.Key]bool), make(map[fact.Key]bool)
	for _, f := range p.Gone {
		broken[f.Key()] = true
	}
	for _, s := range p.Steps {
		if s.Verb == fact.Break {
			broken[s.Fact.Key()] = true
		} else if fact.DependsOn(s.Fact, lost) {
			lost[s.Fact.Key()] = true
			continue
		} else if err := vacant(ctx, s, broken); err != nil {
			lost[s.Fact.Key()] = true
			taken = append(taken, err)
			continue
		}
		free = append(free, s)
	}
	return free, taken
}

// pursue does all steps that can be done: past one that fails it goes on with
// those that do not need it.
func (e *Engine) pursue(ctx context.Context, steps []fact.Step) (done []fact.Step, failed []*fact.StepError) {
	heard := context.AfterFunc(ctx, func() { e.note("interrupted; the step under way is finished first") })
	defer heard()
	lost := make(map[fact.Key]bool)
	for len(steps) > 0 && ctx.Err() == nil {
		ok, err := e.run(ctx, steps)
		done, steps = append(done, ok...), steps[len(ok):]
		var step *fact.StepError
		if err == nil || ctx.Err() != nil || !errors.As(err, &step) {
			continue
		}
		if n := len(step.With); n > 1 { // a batch is all or nothing: each of it alone
			for _, s := range steps[:n] {
				one, alone := e.pursue(ctx, []fact.Step{s})
				done, failed = append(done, one...), append(failed, alone...)
			}
			steps = steps[n:]
			continue
		}
		failed = append(failed, step)
		lost[step.Step.Fact.Key()] = true
		steps = without(steps[1:], lost)
	}
	return done, failed
}

// without leaves out the steps that need what is lost.
func without(steps []fact.Step, lost map[fact.Key]bool) []fact.Step {
	var list []fact.Step
	for _, s := range steps {
		if k := s.Fact.Key(); s.Verb != fact.Break && (lost[k] || fact.DependsOn(s.Fact, lost)) {
			lost[k] = true
			continue
		}
		list = append(list, s)
	}
	return list
}

// unmended is the failure of a repair that could not mend all.
func unmended(ctx context.Context, what string, done int, failed []*fact.StepError) error {
	mended := "nothing was changed"
	if done > 0 {
		mended = count(done, "step") + " done, which stay"
	}
	if err := ctx.Err(); err != nil {
		return &fail.Error{Kind: fail.Failed, What: what, Why: "interrupted; " + mended, Next: "cnet repair", Err: err}
	}
	if len(failed) == 0 {
		return nil
	}
	f := explainFailure(what, failed[0])
	if f.Kind == fail.Failed || f.Kind == fail.Conflict || done > 0 {
		f.Kind = fail.Unmet
	}
	if n := len(failed) - 1; n > 0 {
		f.Why += fmt.Sprintf("; and %d more could not", n)
	}
	f.Why += "; " + mended
	if f.Next == "" {
		f.Next = "cnet check, to see what does not hold"
	}
	return f
}
