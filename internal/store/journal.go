package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A journal is written before the kernel is touched and dropped after the last
// file is written. In between its name tells how far the change has come.
const (
	running = "journal.json" // the kernel is being changed
	saving  = "commit.json"  // the kernel is done; files are being written
)

// Begin writes the journal of a change.
func (s Store) Begin(data []byte) error {
	return s.write(filepath.Join(s.Run, running), data)
}

// Commit notes that the kernel is as it should be: from here on the change can
// only be finished.
func (s Store) Commit() error {
	if err := s.reach("commit"); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(s.Run, running), filepath.Join(s.Run, saving)); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// End drops the journal.
func (s Store) End() error {
	for _, name := range []string{running, saving} {
		if err := s.remove(filepath.Join(s.Run, name)); err != nil {
			return fmt.Errorf("drop the journal: %w", err)
		}
	}
	return nil
}

// JournalFile is the path of the journal that [Store.Pending] reads.
func (s Store) JournalFile() string {
	if path := filepath.Join(s.Run, saving); exists(path) {
		return path
	}
	return filepath.Join(s.Run, running)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Pending returns the journal that a change cut off in the middle left behind,
// and whether its kernel part was done. It is nil when there is none.
func (s Store) Pending() (data []byte, committed bool, err error) {
	for _, name := range []string{saving, running} {
		data, err := os.ReadFile(filepath.Join(s.Run, name))
		if err == nil {
			return data, name == saving, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, false, fmt.Errorf("read the journal: %w", err)
		}
	}
	return nil, false, nil
}
