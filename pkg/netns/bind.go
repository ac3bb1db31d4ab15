package netns

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/cnetlab/cnet/pkg/fact"
	"golang.org/x/sys/unix"
)

// Bind is a namespace that another program made, pinned at Path too so that it
// has a name and outlives its processes. Source is where it is found: a
// process's /proc/PID/ns/net or any path of a namespace. By hand:
//
//	touch /run/netns/web
//	mount --bind /proc/4242/ns/net /run/netns/web
//
// Breaking the fact takes the name away, not the namespace.
// Source: "attach" in ip-netns(8), namespaces(7).
type Bind struct {
	Path   string `json:"path"`
	Source string `json:"source"`
	// ID is the inode number of the namespace meant; 0 is whichever is at
	// Source. A process number is used again, and then is another's.
	ID uint64 `json:"id,omitempty"`
	// Boot is the boot in which ID was that number (random(4)); empty is this one.
	// In another boot the fact is about whichever namespace is at Source, but for
	// that of a process: its number says nothing then.
	Boot string `json:"boot,omitempty"`
}

func (b Bind) Key() fact.Key { return fact.Key{Kind: "netns.bind", Name: b.Path} }

func (b Bind) Say() string {
	return fmt.Sprintf("The network namespace of %s has the name %s.", b.Source, Say(b.Path))
}

// Creates marks a [fact.Creator].
func (Bind) Creates() {}

// Needs are the namespaces that Source may be the name of.
func (b Bind) Needs() []fact.Key { return []fact.Key{KeyOf(b.Source), Bind{Path: b.Source}.Key()} }

func (b Bind) Why() string {
	return "The namespace could not be named, and would end with its last process."
}

// Probe compares the two namespaces. A source that has ended leaves the
// pinned namespace as it was, and the fact holds.
func (b Bind) Probe(context.Context) (fact.Truth, error) {
	t, err := truth(b.Path)
	if err != nil || t.State != fact.Holds {
		return t, err
	}
	before, err := b.before()
	if err != nil {
		return fact.Truth{}, err
	}
	if b.ID != 0 && !before {
		id, err := Inode(b.Path)
		if err == nil && id != b.ID {
			return fact.Other("%s is namespace %d, not %d", b.Path, id, b.ID), nil
		}
		return fact.True(), err
	}
	same, err := sameFile(b.Path, b.Source)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fact.True(), nil
	case err != nil:
		return fact.Truth{}, err
	case !same:
		return fact.Other("%s is another namespace than %s", b.Path, b.Source), nil
	}
	return fact.True(), nil
}

// Make fails with fs.ErrExist if the path is taken, with [ErrNotNamespace] if
// the source is something else, and with fs.ErrNotExist if it is another
// namespace than the one meant.
func (b Bind) Make(ctx context.Context) error {
	err := b.meant()
	if err == nil {
		err = pin(ctx, b.Path, func() error { return mount(b.Source, b.Path, unix.MS_BIND) })
	}
	if err != nil {
		return fmt.Errorf("pin network namespace %s: %w", Say(b.Path), err)
	}
	return nil
}

// meant checks that Source is the namespace of the fact.
func (b Bind) meant() error {
	before, err := b.before()
	if err != nil {
		return err
	}
	if before && strings.HasPrefix(b.Source, "/proc/") {
		return fmt.Errorf("%s is of a process of an earlier boot: %w", b.Source, fs.ErrNotExist)
	}
	if err := Check(b.Source); err != nil || b.ID == 0 || before {
		return err
	}
	id, err := Inode(b.Source)
	if err == nil && id != b.ID {
		return fmt.Errorf("%s is another namespace by now: %w", b.Source, fs.ErrNotExist)
	}
	return err
}

// before reports whether ID is of an earlier boot.
func (b Bind) before() (bool, error) {
	if b.Boot == "" {
		return false, nil
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(boot)) != b.Boot, err
}

func (b Bind) Break(ctx context.Context) error {
	forget(ctx, b.Path)
	if err := unpin(b.Path); err != nil {
		return fmt.Errorf("let go of network namespace %s: %w", Say(b.Path), err)
	}
	return nil
}

func (b Bind) Commands(v fact.Verb) []fact.Command {
	switch v {
	case fact.Make:
		return []fact.Command{fact.Cmd("touch", b.Path), fact.Cmd("mount", "--bind", b.Source, b.Path)}
	case fact.Break:
		return unpinCommands(b.Path)
	}
	return []fact.Command{fact.Cmd("stat", "-L", "-c", "%n %i", b.Path, b.Source)}
}

func sameFile(a, b string) (bool, error) {
	ia, err := os.Stat(a)
	if err != nil {
		return false, err
	}
	ib, err := os.Stat(b)
	if err != nil {
		return false, err
	}
	return os.SameFile(ia, ib), nil
}

// Inode is the number that identifies the namespace at path as long as it lives
// (namespaces(7)).
func Inode(path string) (uint64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Sys().(*syscall.Stat_t).Ino, nil
}
