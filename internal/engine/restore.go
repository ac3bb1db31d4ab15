package engine

import (
	"errors"
	"fmt"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/topology"
)

// restore puts whole files in the place of damaged ones: an object's from its
// backup. A ledger or a journal has none; it is set aside, and what it knew is
// found again by looking at the kernel. Nothing damaged is thrown away.
func (e *Engine) restore() error {
	for _, kind := range kinds() {
		if err := e.Store.Objects(kind, e.restoreObject); err != nil {
			return err
		}
	}
	if err := e.Store.Ledgers(e.restoreLedger); err != nil {
		return err
	}
	data, _, err := e.Store.Pending()
	if err != nil || data == nil {
		return err
	}
	return e.restoreJournal(e.Store.JournalFile(), data)
}

func (e *Engine) restoreObject(path string, data []byte) error {
	cause := readable(path, data)
	if !errors.Is(cause, errDamaged) {
		return cause
	}
	usable := func(backup []byte) error { return readable(path, backup) }
	if err := e.Store.Restore(path, usable); err != nil {
		return fail.New(fail.Failed, "restore "+path, "%w", err).
			Try("mend it by hand; or move it away, and cnet repair removes what it stood for; or cnet reset")
	}
	e.note(fmt.Sprintf("%v; its backup is in its place again, and the damaged file beside it", cause))
	return nil
}

func readable(path string, data []byte) error {
	return readObject(new(topology.Topology), path, data)
}

func (e *Engine) restoreLedger(path string, data []byte) error {
	var f ledgerFile
	err := decode(path, data, &f, &f.Version)
	if err == nil {
		_, err = e.decodeFacts(path, f.Facts)
	}
	return e.setAside(path, err)
}

func (e *Engine) restoreJournal(path string, data []byte) error {
	var f journalFile
	err := decode(path, data, &f, &f.Version)
	if err == nil {
		_, err = e.decodeSteps(path, f.Steps)
	}
	return e.setAside(path, err)
}

// setAside keeps a damaged file of the run folder out of the way.
func (e *Engine) setAside(path string, cause error) error {
	if !errors.Is(cause, errDamaged) {
		return cause
	}
	aside, err := e.Store.SetAside(path)
	if err != nil {
		return err
	}
	e.note(fmt.Sprintf("%v; it is %s now, and the kernel is asked instead", cause, aside))
	return nil
}
