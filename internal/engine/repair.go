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
// command, for the lock and the journal. If firewall is not empty, all networks
// move to that backend, on the way.
func (e *Engine) Repair(ctx context.Context, what, firewall string, dry bool) (Change, error) {
	c, err := e.repair(ctx, task{what, firewall, dry})
	if err == nil && !dry {
		err = obstructed(ctx, what, c)
	}
	return c, err
}

func (e *Engine) repair(ctx context.Context, k task) (Change, error) {
	ctx, s, done, err := e.openWhole(ctx, k.what, k.dry, e.restore)
	if err != nil {
		return Change{}, err
	}
	defer done()
	after, err := moved(s.topo, k.firewall)
	if err == nil {
		err = passable(ctx, k.what, Change{Before: s.topo, After: after})
	}
	if err != nil {
		return Change{}, err
	}
	return e.mendAll(ctx, k, s)
}

// task is what a repair was asked for.
type task struct {
	what     string
	firewall string
	dry      bool
}

// mendAll is Repair once the state is loaded.
func (e *Engine) mendAll(ctx context.Context, k task, s state) (Change, error) {
	after, err := moved(s.topo, k.firewall)
	if err != nil {
		return Change{}, err
	}
	c, wanted := Change{Before: s.topo, After: after}, topology.Compile(after)
	st := standing(s, wanted, append(probeAll(ctx, wanted), probeAll(ctx, replaced(c, wanted))...))
	strays, err := e.strays(ctx, append(s.made[:len(s.made):len(s.made)], st.there...), wanted)
	if err != nil {
		return c, explainFailure(k.what, err)
	}
	if err := learn(ctx, s, st.there); err != nil {
		return c, explainFailure(k.what, err)
	}
	there := fact.Unique(append(st.there, append(unwanted(s.made, wanted), strays...)...))
	c.Plan = fact.Mending(fact.Diff(there, wanted.Facts, st.anew...), there, wanted.Facts, st.mend)
	c.Plan = handOver(c.Plan, wanted.Owner)
	if k.dry {
		c.Plan.Steps = foreseen(ctx, s.made, c.Plan.Steps)
		return c, nil
	}
	return e.mend(ctx, k, s, there, c)
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
// bears none; the cable that leads into it does, or into that whose other name it is.
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
			b, _ := look.Fact.(netns.Bind)
			proven = proven && (cabled[path] || cabled[b.Source])
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
func (e *Engine) mend(ctx context.Context, k task, s state, there []fact.Fact, c Change) (Change, error) {
	steps, failed := occupied(ctx, c.Plan)
	steps, err := remember(ctx, s.made, steps)
	if err != nil {
		return Change{}, explainFailure(k.what, err)
	}
	done, broken, err := e.attempt(ctx, k, fact.Plan{Steps: steps, Gone: c.Plan.Gone})
	if err != nil {
		return Change{}, explainFailure(k.what, err)
	}
	if failed = append(failed, broken...); !ruled(c.Plan, done) {
		c.After = c.Before // what could not move whole stays
	}
	c.Plan.Steps = done
	made := state{made: there}.madeAfter(c, done)
	if len(failed) > 0 || len(done) < len(steps) {
		made = stillThere(context.WithoutCancel(ctx), append(there, made...))
	}
	if err := e.conclude(k, s, c.After, steps, made); err != nil {
		return c, explainFailure(k.what, err)
	}
	return c, unmended(ctx, k.what, len(done), failed)
}

// conclude writes the files of a repair whose kernel part is over. They stand in
// the journal first: of an object and its backup one could be written and not the other.
func (e *Engine) conclude(k task, s state, after topology.Topology, steps []fact.Step, made []fact.Fact) error {
	files, err := e.recorded(s, after, made)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return e.Store.End()
	}
	if err := e.begin(journal{What: k.what, Steps: steps, Files: files, Keep: true, Firewall: k.firewall}); err != nil {
		return err
	}
	if err := e.Store.Stage(files); err != nil {
		return err
	}
	return e.save(files)
}

// attempt does what it can of a plan, in a journal that stays. What others take
// the place of goes only when they are all there.
func (e *Engine) attempt(ctx context.Context, k task, p fact.Plan) (done []fact.Step, failed []*fact.StepError, err error) {
	if len(p.Steps) == 0 {
		return nil, nil, nil
	}
	if err := e.begin(journal{What: k.what, Steps: p.Steps, Keep: true, Firewall: k.firewall}); err != nil {
		return nil, nil, errors.Join(err, e.Store.End())
	}
	if e.Watch != nil {
		e.Watch.Start(p)
	}
	first, last := handed(p.Steps)
	done, failed = e.pursue(ctx, first)
	if ruled(p, done) {
		more, left := e.pursue(ctx, last)
		done, failed = append(done, more...), append(failed, left...)
	}
	return done, failed, nil
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
				one, alone := e.pursue(ctx, without([]fact.Step{s}, lost))
				done, failed = append(done, one...), append(failed, alone...)
				for _, f := range alone {
					lost[f.Step.Fact.Key()] = true
				}
			}
			steps = without(steps[n:], lost)
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
	mended := mended(done)
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

// mended is what a repair that did not succeed has done.
func mended(steps int) string {
	if steps == 0 {
		return "nothing was changed"
	}
	return count(steps, "step") + " done, which stay"
}
