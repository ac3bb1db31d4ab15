package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

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
	if _, err := e.Topology(); errors.Is(err, errDamaged) {
		if err := e.restoreAll(err); err != nil {
			return err
		}
	}
	if err := e.dropOrphans(); err != nil {
		return err
	}
	if err := e.Store.Ledgers(nil, e.restoreLedger); err != nil {
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

// restoreAll puts the backup of every object in place whose file is another or
// is lost: each file can be read, but what they say together cannot be.
func (e *Engine) restoreAll(cause error) error {
	var t topology.Topology
	backups := make(map[string][]byte)
	each := func(path string, data []byte) error {
		backups[path] = data
		return readObject(&t, path, data)
	}
	for _, kind := range kinds() {
		if err := e.Store.Backups(kind, each); err != nil {
			return errors.Join(cause, err)
		}
	}
	t.Sort()
	if len(backups) == 0 || t.Check() != nil {
		return cause
	}
	for path, data := range backups {
		if now, err := os.ReadFile(path); err == nil && bytes.Equal(now, data) {
			continue
		}
		if err := e.Store.Restore(path, func([]byte) error { return nil }); err != nil {
			return err
		}
		e.note(fmt.Sprintf("%v; the backup of %s is in its place again", cause, path))
	}
	_, err := e.Topology()
	return err
}

// dropOrphans removes the backups of files that somebody has taken away, and
// that no other file needs.
func (e *Engine) dropOrphans() error {
	for _, kind := range kinds() {
		err := e.Store.Backups(kind, func(path string, _ []byte) error {
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return os.Remove(e.Store.Backup(path))
		})
		if err != nil {
			return fmt.Errorf("remove a backup: %w", err)
		}
	}
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
