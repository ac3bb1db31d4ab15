package store

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/fail"
)

func fresh(t *testing.T) Store {
	t.Helper()
	dir := t.TempDir()
	return Store{State: filepath.Join(dir, "lib/cnet"), Run: filepath.Join(dir, "run/cnet")}
}

func TestLockIsHeldByOne(t *testing.T) {
	s := fresh(t)
	const writers = 16
	var wg sync.WaitGroup
	var inside, most atomic.Int32
	for i := 0; i < writers; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			l, err := s.Lock(context.Background(), time.Minute, "cnet test")
			if err != nil {
				t.Error(err)
				return
			}
			if n := inside.Add(1); n > most.Load() {
				most.Store(n)
			}
			inside.Add(-1)
			s.Clear() // removes the lock file under those who wait
			l.Unlock()
		}()
	}
	wg.Wait()
	if n := most.Load(); n != 1 {
		t.Errorf("%d held the lock at once", n)
	}
}

func TestLockSaysWhoHoldsIt(t *testing.T) {
	s := fresh(t)
	l, err := s.Lock(context.Background(), time.Second, "cnet create web")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Lock(context.Background(), 20*time.Millisecond, "cnet delete web")
	if fail.KindOf(err) != fail.Locked || !strings.Contains(err.Error(), "cnet create web") {
		t.Errorf("got %v, want a locked error that names the holder", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Lock(ctx, time.Minute, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	l.Unlock()
	again, err := s.Lock(context.Background(), time.Second, "x")
	if err != nil {
		t.Fatal(err)
	}
	again.Unlock()
	if info, err := os.Stat(filepath.Join(s.Run, lockName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("lock file: %v, %v; want mode 600", info.Mode(), err)
	}
}

func TestApplyTwice(t *testing.T) {
	s := fresh(t)
	files := []File{{Path: s.Object("networks", "lab"), Content: []byte("{}\n")}, {Path: s.LedgerFile("container web"), Content: []byte("[]\n")}}
	for i := 0; i < 2; i++ {
		if err := s.Apply(files); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]string{}
	keep := func(path string, data []byte) error { got[filepath.Base(path)] = string(data); return nil }
	if err := errors.Join(s.Objects("networks", keep), s.Objects("containers", keep), s.Ledgers(nil, keep)); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got["lab.json"] != "{}\n" || got["container-web.json"] != "[]\n" {
		t.Errorf("read back %v", got)
	}
	gone := []File{{Path: files[0].Path}, {Path: files[1].Path}}
	for i := 0; i < 2; i++ {
		if err := s.Apply(gone); err != nil {
			t.Fatal(err)
		}
	}
	s.Clear()
	if _, err := os.Stat(s.State); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty state folder stays: %v", err)
	}
}

func TestAFailedWriteLeavesTheOldFile(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root writes into folders without permission; test/e2e fills a disk instead")
	}
	s := fresh(t)
	f := File{Path: s.Object("networks", "lab"), Content: []byte("old")}
	if err := s.Apply([]File{f}); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(f.Path)
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o755)
	if err := s.Apply([]File{{Path: f.Path, Content: []byte("new")}}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v, want a permission error", err)
	}
	if data, _ := os.ReadFile(f.Path); string(data) != "old" {
		t.Errorf("the file says %q", data)
	}
}

func TestJournalPhases(t *testing.T) {
	s := fresh(t)
	if err := os.MkdirAll(s.Run, 0o755); err != nil {
		t.Fatal(err)
	}
	expect := func(when, want string, committed bool) {
		t.Helper()
		data, done, err := s.Pending()
		if err != nil || string(data) != want || done != committed {
			t.Errorf("%s: %q, %v, %v", when, data, done, err)
		}
	}
	expect("at first", "", false)
	if err := s.Begin([]byte("j")); err != nil {
		t.Fatal(err)
	}
	expect("begun", "j", false)
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
	expect("committed", "j", true)
	if err := s.End(); err != nil {
		t.Fatal(err)
	}
	expect("ended", "", false)
}

// A change of which some files are in place is seen as a whole.
func TestSettlingCountsAsSettled(t *testing.T) {
	s := fresh(t)
	old := []File{{Path: s.Object("networks", "a"), Content: []byte("old")}, {Path: s.Object("networks", "b"), Content: []byte("old")}}
	if err := s.Apply(old); err != nil {
		t.Fatal(err)
	}
	files := []File{{Path: old[0].Path, Content: []byte("new")}, {Path: old[1].Path}, {Path: s.Object("networks", "c"), Content: []byte("new")}}
	data, err := json.Marshal(map[string]any{"files": files})
	if err == nil {
		err = errors.Join(os.MkdirAll(s.Run, 0o755), s.Begin(data), s.Stage(files))
	}
	if err != nil {
		t.Fatal(err)
	}
	look := func() (text string) {
		err := s.Steady(func() error {
			text = ""
			return s.Objects("networks", func(path string, data []byte) error {
				text += filepath.Base(path) + "=" + string(data) + " "
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	const before, after = "a.json=old b.json=old ", "a.json=new c.json=new "
	if got := look(); got != before {
		t.Errorf("before the commit: %s", got)
	}
	for _, step := range []func() error{s.Commit, func() error { return os.Rename(staged(files[0].Path), files[0].Path) },
		func() error { return os.Remove(old[1].Path) }, func() error { return s.Apply(files) }, s.End} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
		if got := look(); got != after {
			t.Errorf("after the commit: %s", got)
		}
	}
}

// What is replaced while it is read is read again.
func TestSteadyReadsAgain(t *testing.T) {
	s := fresh(t)
	f := File{Path: s.Object("networks", "a"), Content: []byte("x")}
	tries := 0
	err := s.Steady(func() error {
		if tries++; tries < 3 {
			return errors.Join(s.Apply([]File{f}), errors.New("half of it"))
		}
		return nil
	})
	if err != nil || tries != 3 {
		t.Errorf("%d tries, %v", tries, err)
	}
}
