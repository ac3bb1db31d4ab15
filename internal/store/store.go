package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"golang.org/x/sys/unix"
)

// The folders of a host.
const (
	StateDir = "/var/lib/cnet"
	RunDir   = "/run/cnet"
)

// Store is the pair of folders that cnet keeps its files in.
type Store struct {
	State string // what survives a reboot
	Run   string // what does not
	// At is told of each point of a change to the files at which it may be cut
	// off; its error fails the change. It may be nil.
	At func(point string) error
}

// Default is the store of this host.
func Default() Store { return Store{State: StateDir, Run: RunDir} }

// File is a file to be written, or removed where Content is nil.
type File struct {
	Path    string `json:"path"`
	Content []byte `json:"content,omitempty"`
}

// Object is the path of an object's file in the state folder.
func (s Store) Object(kind, name string) string {
	return filepath.Join(s.State, kind, name+".json")
}

// LedgerFile is the path of the ledger of one owner.
func (s Store) LedgerFile(owner string) string {
	return filepath.Join(s.ledger(), strings.ReplaceAll(owner, " ", "-")+".json")
}

// Objects reads the files of one kind in the order of their names.
func (s Store) Objects(kind string, each func(path string, data []byte) error) error {
	return s.readAll(filepath.Join(s.State, kind), each)
}

// Ledgers reads the ledger files of these owners; nil is all there are.
func (s Store) Ledgers(owners map[string]bool, each func(path string, data []byte) error) error {
	if owners == nil {
		return s.readAll(s.ledger(), each)
	}
	paths := make(map[string]bool, len(owners))
	for o := range owners {
		paths[s.LedgerFile(o)] = true
	}
	settling, err := s.settling()
	if err != nil {
		return err
	}
	return s.readFiles(paths, settling, each)
}

// readAll reads the files of a folder. Those of a change that is being settled
// count as if they were in place.
func (s Store) readAll(dir string, each func(path string, data []byte) error) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read state: %w", err)
	}
	settling, err := s.settling()
	if err != nil {
		return err
	}
	paths := make(map[string]bool)
	for _, e := range entries {
		if isObject(e.Name()) {
			paths[filepath.Join(dir, e.Name())] = true
		}
	}
	for path := range settling {
		if filepath.Dir(path) == dir {
			paths[path] = true
		}
	}
	return s.readFiles(paths, settling, each)
}

func (s Store) readFiles(paths map[string]bool, settling map[string][]byte, each func(path string, data []byte) error) (err error) {
	for _, path := range sorted(paths) {
		data, soon := settling[path]
		if !soon {
			data, err = readFile(path)
		}
		if errors.Is(err, fs.ErrNotExist) || soon && data == nil {
			continue // removed since the folder was read, or about to be
		}
		if err != nil {
			return fmt.Errorf("read state: %w", err)
		}
		if err := each(path, data); err != nil {
			return err
		}
	}
	return nil
}

func isObject(name string) bool {
	return strings.HasSuffix(name, ".json") && !strings.HasPrefix(name, ".")
}

// Apply writes and removes files. Doing it again does no harm, so that a change
// cut off in the middle can be applied once more.
func (s Store) Apply(files []File) error {
	if err := s.Stage(files); err != nil {
		return err
	}
	return s.Settle(files)
}

// Stage writes files beside their places, where nobody reads them. What can
// fail for want of room fails here.
func (s Store) Stage(files []File) error {
	for _, f := range files {
		if f.Content == nil {
			continue
		}
		for _, path := range s.places(f.Path) {
			if err := s.mkdir(filepath.Dir(path)); err != nil {
				return fmt.Errorf("write %s: %w", path, err)
			}
			if err := s.stage(path, f.Content); err != nil {
				return err
			}
		}
	}
	return nil
}

// Tidy removes what was staged and is not wanted any more.
func (s Store) Tidy() error {
	for _, dir := range append(s.folders(), s.State, s.Run) {
		left, err := filepath.Glob(filepath.Join(dir, ".*"+staging))
		if err != nil {
			return err
		}
		for _, path := range left {
			if err := s.remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// Settle puts staged files in place and removes the others, in this order on the
// disk too. Backups follow when all are done: should the power fail before, they
// are of one state together.
func (s Store) Settle(files []File) error {
	for i, f := range files {
		if err := s.settle(f.Path, f.Content == nil); err != nil {
			return err
		}
		dir := filepath.Dir(f.Path)
		last := i == len(files)-1 || filepath.Dir(files[i+1].Path) != dir
		if last && s.Lasting(dir) {
			if err := syncDir(dir); err != nil {
				return err
			}
		}
	}
	for _, f := range files {
		if b := s.Backup(f.Path); b != "" {
			if err := s.settle(b, f.Content == nil); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s Store) settle(path string, gone bool) error {
	if gone {
		return s.remove(path)
	}
	if err := s.reach("put in place " + path); err != nil {
		return err
	}
	if err := os.Rename(staged(path), path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// places are a file's own path and, for an object's, that of its backup.
func (s Store) places(path string) []string {
	if b := s.Backup(path); b != "" {
		return []string{path, b}
	}
	return []string{path}
}

func (s Store) reach(point string) error {
	if s.At == nil {
		return nil
	}
	return s.At(point)
}

// Mkdir makes a folder of the store, and those above it, that every user may
// read whatever the umask.
func (s Store) Mkdir(dir string) error { return s.mkdir(dir) }

// mkdir makes a folder of the store, and those above it, that every user may
// read whatever the umask.
func (s Store) mkdir(dir string) error {
	for _, root := range []string{s.State, s.Run} {
		if dir != root && strings.HasPrefix(dir, root+"/") {
			if err := s.mkdir(filepath.Dir(dir)); err != nil {
				return err
			}
		}
	}
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.Chmod(dir, 0o755)
}

// Lasting reports whether path must survive a power cut. The run folder is gone
// after a reboot whatever was flushed.
func (s Store) Lasting(path string) bool { return strings.HasPrefix(path, s.State) }

// write replaces the file at path by content as a whole or not at all.
func (s Store) write(path string, content []byte) error {
	if err := s.stage(path, content); err != nil {
		return err
	}
	return s.settle(path, false)
}

const staging = ".new"

// staged is where the file at path is laid ready.
func staged(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+staging)
}

// remove removes a file that may be gone already.
func (s Store) remove(path string) error {
	if err := s.reach("remove " + path); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	return nil
}

// stage lays content ready for the file at path.
func (s Store) stage(path string, content []byte) (err error) {
	tmp := staged(path)
	if err := s.reach("write " + tmp); err != nil {
		return err
	}
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			os.Remove(tmp)
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	if err = f.Chmod(0o644); err != nil { // whatever the umask
		f.Close()
		return err
	}
	if _, err = f.Write(content); err != nil {
		f.Close()
		return err
	}
	if s.Lasting(path) && !s.isBackup(path) {
		if err = f.Sync(); err != nil {
			f.Close()
			return err
		}
	}
	return f.Close()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}

// Wipe removes all objects, the damaged files that were set aside, and, unless
// it is to be kept, the ledger.
func (s Store) Wipe(keepLedger bool) error {
	var errs []error
	for _, dir := range s.folders() {
		if keepLedger && dir == s.ledger() {
			continue
		}
		errs = append(errs, os.RemoveAll(dir))
	}
	for _, dir := range []string{s.Run, s.ledger()} {
		left, err := filepath.Glob(filepath.Join(dir, "*"+aside))
		for _, path := range left {
			errs = append(errs, s.remove(path))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// folders are those that files are kept in, the inner ones first.
func (s Store) folders() (list []string) {
	for _, root := range []string{filepath.Join(s.State, backup), s.State} {
		for _, kind := range []string{"networks", "containers", "services", "edge", "expect"} {
			list = append(list, filepath.Join(root, kind))
		}
	}
	return append(list, filepath.Join(s.State, backup), s.ledger())
}

func (s Store) ledger() string { return filepath.Join(s.Run, "ledger") }

// Clear removes what is left of the store when nothing is kept in it any more:
// empty folders, and with them the lock.
func (s Store) Clear() {
	for _, dir := range append(s.folders(), s.State) {
		os.Remove(dir) // fails, as it should, where something is left
	}
	os.Remove(staged(filepath.Join(s.Run, running))) // of a change that ended before it began
	entries, err := os.ReadDir(s.Run)
	if err == nil && len(entries) == 1 && entries[0].Name() == lockName {
		os.Remove(filepath.Join(s.Run, lockName))
		os.Remove(s.Run)
	}
}

func sorted(m map[string]bool) []string {
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	sort.Strings(list)
	return list
}
