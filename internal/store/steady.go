package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/internal/fail"
)

// patience is how long a reader tries to read between two changes.
const patience = 10 * time.Second

// Steady has a reader, who holds no lock, see the files as they are between two
// changes: read is called again until no file was replaced while it ran.
func (s Store) Steady(read func() error) error {
	for end := time.Now().Add(patience); ; {
		before, err := s.stamp()
		if err != nil {
			return err
		}
		failed := read()
		after, err := s.stamp()
		if err != nil {
			return err
		}
		if before == after {
			return failed
		}
		if time.Now().After(end) {
			return fail.New(fail.Locked, "read the state", "it is being changed all the time; tried for %s", patience)
		}
	}
}

// stamp names the files of the store as they are now: a file that is replaced
// has another number or another time.
func (s Store) stamp() (string, error) {
	var b strings.Builder
	files := []string{filepath.Join(s.Run, saving)}
	for _, dir := range s.folders() {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("read state: %w", err)
		}
		for _, e := range entries {
			if isObject(e.Name()) {
				files = append(files, filepath.Join(dir, e.Name()))
			}
		}
	}
	for _, path := range files {
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil {
			continue // removed since: it is missing in what is named here
		}
		fmt.Fprintln(&b, path, st.Ino, st.Size, st.Mtim.Sec, st.Mtim.Nsec)
	}
	return b.String(), nil
}

// settling maps the files of a change whose kernel part is done, and of whose
// files some may not be in place yet, to what they will hold.
func (s Store) settling() (map[string][]byte, error) {
	data, err := os.ReadFile(filepath.Join(s.Run, saving))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var change struct {
		Files []File `json:"files"`
	}
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	if json.Unmarshal(data, &change) != nil {
		return nil, nil // a damaged journal promises nothing; who settles it says so
	}
	m := make(map[string][]byte, len(change.Files))
	for _, f := range change.Files {
		m[f.Path] = f.Content
	}
	return m, nil
}
