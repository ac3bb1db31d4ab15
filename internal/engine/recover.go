package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/cnetlab/cnet/pkg/fact"
)

// recover settles a change that was cut off in the middle. A change whose
// kernel part was done is finished. Of the others, one that only makes is
// undone, so that the same command can be given again; one that also breaks is
// finished, because what died with a namespace cannot be brought back.
func (e *Engine) recover(ctx context.Context) error {
	data, committed, err := e.Store.Pending()
	if err != nil || data == nil {
		return err
	}
	var f journalFile
	path := e.Store.JournalFile()
	if err := decode(path, data, &f, &f.Version); err != nil {
		return err
	}
	boot, err := bootID()
	if err != nil {
		return err
	}
	steps, err := e.decodeSteps(path, f.Steps)
	if err != nil {
		return err
	}
	if err := e.within(f.Files); err != nil {
		return damaged(path, err)
	}
	if f.Keep && !committed {
		return e.goOn(ctx, f, steps, boot)
	}
	finish := committed || breaks(steps)
	e.note(fmt.Sprintf("%q was cut off in the middle; %s it first", f.What, map[bool]string{true: "finishing", false: "undoing"}[finish]))
	if boot == f.Boot && !committed {
		if !finish {
			steps = fact.Reverse(steps)
		}
		if err := settleAll(ctx, steps); err != nil {
			e.note(fmt.Sprintf("that did not succeed: %v; cnet check tells what is left", err))
			return e.abandon(ctx, f, steps)
		}
	}
	if finish {
		return e.finish(f, boot, committed)
	}
	return errors.Join(e.Store.Tidy(), e.Store.End())
}

// goOn finishes a repair that was cut off: it looks at what stands and mends the
// rest. What cannot be mended does not keep the next command from its work.
func (e *Engine) goOn(ctx context.Context, f journalFile, steps []fact.Step, boot string) error {
	if boot != f.Boot {
		return e.Store.End()
	}
	e.note(fmt.Sprintf("%q was cut off in the middle; finishing it first", f.What))
	ctx, done := e.session(ctx)
	defer done()
	s, err := e.load()
	if err != nil {
		return err
	}
	if err := errors.Join(e.Store.Tidy(), e.record(s, s.topo, e.left(ctx, s, steps))); err != nil {
		return err
	}
	if s, err = e.load(); err != nil {
		return err
	}
	if _, err := e.mendAll(ctx, task{what: f.What, firewall: f.Firewall}, s); err != nil {
		e.note(fmt.Sprintf("that did not succeed: %v; cnet check tells what is left", err))
	}
	return nil
}

// abandon gives a change up that was cut off and cannot be settled.
func (e *Engine) abandon(ctx context.Context, f journalFile, steps []fact.Step) error {
	s, err := e.load()
	if err != nil {
		return err
	}
	return e.giveUp(ctx, s, journal{What: f.What, Steps: steps, Files: f.Files})
}

// finish writes the files of a change. After a reboot only what survives one is written.
func (e *Engine) finish(f journalFile, boot string, committed bool) error {
	files := f.Files
	if boot != f.Boot {
		files = nil
		for _, file := range f.Files {
			if e.Store.Lasting(file.Path) {
				files = append(files, file)
			}
		}
	}
	if !committed {
		if err := e.Store.Commit(); err != nil {
			return err
		}
	}
	if err := e.Store.Apply(files); err != nil {
		return err
	}
	return e.Store.End()
}

func (e *Engine) decodeSteps(path string, records []stepRecord) ([]fact.Step, error) {
	steps := make([]fact.Step, 0, len(records))
	for _, r := range records {
		f, err := e.codec.Decode(r.Record)
		if err != nil {
			return nil, damaged(path, err)
		}
		verb := fact.Make
		for _, v := range []fact.Verb{fact.Break, fact.Mend} {
			if r.Verb == v.String() {
				verb = v
			}
		}
		steps = append(steps, fact.Step{Verb: verb, Fact: f})
	}
	return steps, nil
}

func breaks(steps []fact.Step) bool {
	for _, s := range steps {
		if s.Verb == fact.Break {
			return true
		}
	}
	return false
}
