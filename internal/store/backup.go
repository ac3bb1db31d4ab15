package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// backup is the folder of the copies, below the state folder.
const backup = "backup"

// aside is what the name of a damaged file ends in that was set aside.
const aside = ".damaged"

// Backup is the path of the copy that is kept of an object's file, for the day
// when the file is found damaged. It is empty for other files.
func (s Store) Backup(path string) string {
	inner, ok := strings.CutPrefix(path, s.State+"/")
	if !ok || s.isBackup(path) {
		return ""
	}
	return filepath.Join(s.State, backup, inner)
}

func (s Store) isBackup(path string) bool {
	return strings.HasPrefix(path, filepath.Join(s.State, backup)+"/")
}

// HasBackup reports whether there is a copy of the file at path.
func (s Store) HasBackup(path string) bool { return exists(s.Backup(path)) }

// Backups reads the copies of one kind's files; path is that of the file itself.
func (s Store) Backups(kind string, each func(path string, data []byte) error) error {
	return s.readAll(filepath.Join(s.State, backup, kind), func(path string, data []byte) error {
		return each(filepath.Join(s.State, kind, filepath.Base(path)), data)
	})
}

// SetAside renames a damaged file, so that nobody reads it and nothing is lost,
// and returns where it is now.
func (s Store) SetAside(path string) (string, error) {
	if err := os.Rename(path, path+aside); err != nil {
		return "", fmt.Errorf("set %s aside: %w", path, err)
	}
	return path + aside, nil
}

// Restore puts the backup of a damaged file in its place and keeps the damaged
// one beside it. usable judges the backup's content.
func (s Store) Restore(path string, usable func([]byte) error) error {
	content, err := os.ReadFile(s.Backup(path))
	if err == nil {
		err = usable(content)
	}
	if err != nil {
		return fmt.Errorf("no usable backup of %s: %w", path, err)
	}
	if _, err := s.SetAside(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.write(path, content)
}
