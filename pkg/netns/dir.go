package netns

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/cnetlab/cnet/pkg/fact"
	"golang.org/x/sys/unix"
)

// Dir is the folder that named namespaces are pinned in, ready for it: a mount
// of its own that is shared, so that a namespace pinned in one mount namespace
// is seen, and let go, in all of them. By hand:
//
//	mkdir -p /run/netns
//	mountpoint -q /run/netns || mount --rbind /run/netns /run/netns
//	mount --make-shared /run/netns
//
// `ip netns add` does the same when it is first used. A folder that is not
// empty is left as it is when the fact is broken: others pin namespaces there
// too. Source: ip-netns(8), "Shared subtrees" in mount_namespaces(7).
type Dir struct {
	Path string `json:"path"`
	// Found is what was there before: "" nothing, "dir" a plain folder,
	// "private" a mount that was not shared, "mount" a shared mount.
	Found string `json:"found,omitempty"`
}

func (d Dir) Key() fact.Key { return fact.Key{Kind: "netns.dir", Name: d.Path} }

func (d Dir) Say() string { return d.Path + " is a shared mount." }

func (d Dir) Why() string {
	return "Namespaces pinned there would be invisible to programs in other mount namespaces."
}

func (d Dir) Remember(context.Context) (fact.Fact, error) {
	found, err := d.look()
	d.Found = found
	return d, err
}

func (d Dir) Probe(context.Context) (fact.Truth, error) {
	found, err := d.look()
	switch {
	case err != nil:
		return fact.Truth{}, err
	case found == "mount":
		return fact.True(), nil
	case found == "":
		return fact.False(), nil
	case found == "dir":
		return fact.Other("%s is a plain folder", d.Path), nil
	}
	return fact.Other("%s is a mount that is not shared", d.Path), nil
}

func (d Dir) Make(ctx context.Context) error {
	found, err := d.look()
	if err != nil || found == "mount" {
		return err
	}
	if err := d.share(ctx, found); err != nil {
		return errors.Join(err, d.Break(ctx))
	}
	return nil
}

func (d Dir) share(ctx context.Context, found string) error {
	if err := mkdirAll(d.Path); err != nil {
		return err
	}
	if err := fact.Reach(ctx, "mount "+d.Path); err != nil {
		return err
	}
	if found != "private" {
		if err := mount(d.Path, d.Path, unix.MS_BIND|unix.MS_REC); err != nil {
			return err
		}
	}
	if err := fact.Reach(ctx, "share "+d.Path); err != nil {
		return err
	}
	return mount("", d.Path, unix.MS_SHARED)
}

func (d Dir) Break(context.Context) error {
	now, err := d.look()
	if err != nil || now == "" || d.Found == "mount" {
		return err
	}
	if entries, err := os.ReadDir(d.Path); err != nil || len(entries) > 0 {
		return err
	}
	if d.Found == "private" {
		return mount("", d.Path, unix.MS_PRIVATE)
	}
	if now != "dir" {
		if err := unix.Unmount(d.Path, unix.MNT_DETACH); err != nil {
			return &fs.PathError{Op: "unmount", Path: d.Path, Err: err}
		}
	}
	if d.Found == "dir" {
		return nil
	}
	if err := os.Remove(d.Path); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTEMPTY) {
		return err
	}
	return nil
}

func (d Dir) Commands(v fact.Verb) []fact.Command {
	switch {
	case v == fact.Show:
		return []fact.Command{fact.Cmd("findmnt", "-o", "TARGET,PROPAGATION", d.Path)}
	case d.Found == "mount":
		return nil
	case v == fact.Make:
		return d.makeCommands()
	case d.Found == "private":
		return []fact.Command{fact.Cmd("mount", "--make-private", d.Path)}
	}
	umount := fact.Cmd("umount", d.Path)
	umount.MayFail = true
	if d.Found == "dir" {
		return []fact.Command{umount}
	}
	rmdir := fact.Cmd("rmdir", d.Path)
	rmdir.MayFail = true
	return []fact.Command{umount, rmdir}
}

func (d Dir) makeCommands() []fact.Command {
	path := fact.Quote(d.Path)
	share := fact.Cmd("mount", "--make-shared", d.Path)
	if d.Found == "private" {
		return []fact.Command{share}
	}
	return []fact.Command{
		fact.Cmd("mkdir", "-p", d.Path),
		fact.Cmd("sh", "-c", "mountpoint -q "+path+" || mount --rbind "+path+" "+path),
		share,
	}
}

// look returns what is at the path, in the words of Found.
func (d Dir) look() (string, error) {
	info, err := os.Stat(d.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", err
	case !info.IsDir():
		return "", &fs.PathError{Op: "use as a folder", Path: d.Path, Err: unix.ENOTDIR}
	}
	options, mounted, err := mountOptions(d.Path)
	switch {
	case err != nil:
		return "", err
	case !mounted:
		return "dir", nil
	case strings.Contains(options, " shared:"):
		return "mount", nil
	}
	return "private", nil
}

// mountOptions returns the optional fields of the topmost mount at path, from
// the seventh field on; see "mountinfo" in proc(5).
func mountOptions(path string) (options string, mounted bool, err error) {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", false, err
	}
	for _, line := range strings.Split(string(table), "\n") {
		fields := strings.SplitN(line, " ", 7)
		if len(fields) == 7 && unescape(fields[4]) == path {
			options, _, _ = strings.Cut(" "+fields[6], " - ")
			mounted = true
		}
	}
	return options, mounted, nil
}

// unescape undoes the octal escapes of mountinfo.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

func mount(source, target string, flags uintptr) error {
	if err := unix.Mount(source, target, "none", flags, ""); err != nil {
		return fmt.Errorf("mount on %s: %w", target, err)
	}
	return nil
}
