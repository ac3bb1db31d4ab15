package netns

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cnetlab/cnet/pkg/fact"
	"golang.org/x/sys/unix"
)

// File is a configuration file of one namespace, /etc/netns/NAME/FILE, readable
// by all. `ip netns exec NAME` shows it to the program in the place of
// /etc/FILE. By hand:
//
//	mkdir -p /etc/netns/web
//	printf %s '127.0.0.1 localhost' > /etc/netns/web/hosts
//	chmod 644 /etc/netns/web/hosts
//
// Breaking the fact removes the file, then its folder and the folder above if
// they are empty. Source: ip-netns(8).
type File struct {
	Path    string `json:"path"`
	Content string `json:"content"`
}

func (f File) Key() fact.Key { return fact.Key{Kind: "netns.file", Name: f.Path} }

func (f File) Say() string {
	return fmt.Sprintf("%s has its own %s.", filepath.Base(filepath.Dir(f.Path)), filepath.Base(f.Path))
}

// Creates marks a [fact.Creator].
func (File) Creates() {}

func (f File) Why() string {
	return fmt.Sprintf("Programs inside would read the host's /etc/%s.", filepath.Base(f.Path))
}

func (f File) Probe(context.Context) (fact.Truth, error) {
	for _, path := range []string{filepath.Dir(f.Path), f.Path} {
		if isLink(path) {
			return fact.Other("%s is a link to another place", path), nil
		}
	}
	info, err := os.Lstat(f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fact.False(), nil
	case err != nil:
		return fact.Truth{}, err
	case !info.Mode().IsRegular():
		return fact.Other("%s is not a plain file", f.Path), nil
	case info.Mode().Perm() != 0o644:
		return fact.Mendable("mode of %s is %o, not 644", f.Path, info.Mode().Perm()), nil
	}
	content, err := os.ReadFile(f.Path)
	if err == nil && string(content) != f.Content {
		return fact.Mendable("%s has other content", f.Path), nil
	}
	return fact.When(err == nil), err
}

// Mend writes the file anew in its place: programs that `ip netns exec` started
// see this file, and not one that takes its name.
func (f File) Mend(context.Context) error {
	out, err := os.OpenFile(f.Path, os.O_WRONLY|os.O_TRUNC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	_, err = out.WriteString(f.Content)
	return errors.Join(err, out.Chmod(0o644), out.Close())
}

// Make fails with fs.ErrExist if there is a file already, unless it is one that an
// earlier cnet left (see [File.Left]).
func (f File) Make(ctx context.Context) error {
	if dir := filepath.Dir(f.Path); isLink(dir) {
		return &fs.PathError{Op: "use as a folder", Path: dir, Err: unix.ELOOP}
	}
	if err := mkdirAll(filepath.Dir(f.Path)); err != nil {
		return err
	}
	if f.Left() {
		if err := os.Remove(f.Path); err != nil {
			return err
		}
	}
	out, err := os.OpenFile(f.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if err = fact.Reach(ctx, "write "+f.Path); err == nil {
		_, err = out.WriteString(f.Content)
	}
	// The mode must not depend on the umask.
	if err = errors.Join(err, out.Chmod(0o644), out.Close()); err != nil {
		return errors.Join(err, f.Break(ctx))
	}
	return nil
}

// Left reports whether the file that is there bears cnet's mark, or is empty as a
// power cut leaves it: an earlier cnet's, to be written anew.
func (f File) Left() bool {
	info, err := os.Lstat(f.Path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	content, err := os.ReadFile(f.Path)
	return err == nil && (len(content) == 0 || strings.HasPrefix(string(content), Mark))
}

func (f File) Break(context.Context) error {
	dir := filepath.Dir(f.Path)
	if isLink(dir) { // what is behind it is another's
		return nil
	}
	if err := os.Remove(f.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, d := range []string{dir, filepath.Dir(dir)} {
		err := os.Remove(d)
		if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EBUSY) { // in use, or a mount point
			return nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (f File) Commands(v fact.Verb) []fact.Command {
	dir := filepath.Dir(f.Path)
	write := fact.Cmd("printf", "%s", f.Content)
	write.Output = f.Path
	switch v {
	case fact.Make:
		return []fact.Command{fact.Cmd("mkdir", "-p", dir), write, fact.Cmd("chmod", "644", f.Path)}
	case fact.Mend:
		return []fact.Command{write, fact.Cmd("chmod", "644", f.Path)}
	case fact.Break:
		prune := fact.Cmd("rmdir", dir, filepath.Dir(dir))
		prune.MayFail = true
		return []fact.Command{fact.Cmd("rm", "-f", f.Path), prune}
	}
	return []fact.Command{fact.Cmd("cat", f.Path)}
}
