package netns

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cnetlab/cnet/pkg/fact"
	"golang.org/x/sys/unix"
)

// Kinds are the kinds of facts of this chapter.
func Kinds() []fact.Kind {
	return []fact.Kind{
		fact.KindOf[Dir](),
		fact.KindOf[Named](),
		fact.KindOf[Bind](),
		fact.KindOf[File](),
	}
}

// KeyOf is the key of the [Named] namespace at path.
func KeyOf(path string) fact.Key { return Named{Path: path}.Key() }

// runDir is where ip(8) keeps its named namespaces.
const runDir = "/run/netns"

// name returns NAME for /run/netns/NAME, which is the form that ip(8) takes.
func name(path string) (string, bool) {
	dir, base := filepath.Split(path)
	return base, filepath.Clean(dir) == runDir
}

// Say names the namespace at path in a sentence: "web", "/proc/42/ns/net", "the host".
func Say(path string) string {
	if path == "" {
		return "the host"
	}
	if n, ok := name(path); ok {
		return n
	}
	return path
}

// SayLink names a link in the namespace at path: "web's eth0"; on the host
// just "eth0".
func SayLink(path, link string) string {
	if path == "" {
		return link
	}
	return Say(path) + "'s " + link
}

// Args is what to put before a command to run it inside the namespace at path:
// nothing for the host, `ip netns exec web` for /run/netns/web, and
// `nsenter --net=PATH` for any other path.
func Args(path string) []string {
	if path == "" {
		return nil
	}
	if n, ok := name(path); ok {
		return []string{"ip", "netns", "exec", n}
	}
	return []string{"nsenter", "--net=" + path}
}

// Cmd is the command with these words, run inside the namespace at path.
func Cmd(path string, words ...string) fact.Command {
	return fact.Cmd(append(Args(path), words...)...)
}

// IP is the ip(8) command with these words, run inside the namespace at path:
// `ip -n web ...` for /run/netns/web.
func IP(path string, words ...string) fact.Command { return tool("ip", path, words) }

// Bridge is the bridge(8) command with these words, run inside the namespace
// at path: `bridge -n web ...` for /run/netns/web.
func Bridge(path string, words ...string) fact.Command { return tool("bridge", path, words) }

// tool is a command of iproute2, whose programs enter a named namespace themselves.
func tool(program, path string, words []string) fact.Command {
	if n, ok := name(path); ok && path != "" {
		return fact.Cmd(append([]string{program, "-n", n}, words...)...)
	}
	return Cmd(path, append([]string{program}, words...)...)
}

// Check returns nil if path is a network namespace. Else the error says what
// it is instead; errors.Is(err, fs.ErrNotExist) if there is nothing.
func Check(path string) error {
	f, err := open(path)
	if err != nil {
		return err
	}
	return f.Close()
}

// open opens the network namespace at path.
func open(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open network namespace", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err == nil && int64(st.Type) == unix.NSFS_MAGIC {
		if typ, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE); err != nil || typ == unix.CLONE_NEWNET {
			return f, nil
		}
	}
	f.Close()
	return nil, fmt.Errorf("%s: %w", path, ErrNotNamespace)
}

// ErrNotNamespace is the error of a path that leads to something else.
var ErrNotNamespace = errors.New("not a network namespace")

// truth is what a look at the namespace file at path tells.
func truth(path string) (fact.Truth, error) {
	err := Check(path)
	switch {
	case err == nil:
		return fact.True(), nil
	case errors.Is(err, fs.ErrNotExist):
		return fact.False(), nil
	case errors.Is(err, ErrNotNamespace):
		return fact.Other("%s is not a network namespace", path), nil
	}
	return fact.Truth{}, err
}

// pin makes an empty file at path and lets mount put a namespace on it. On
// failure nothing is left.
func pin(ctx context.Context, path string, mount func() error) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o444)
	if err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	unix.Close(fd)
	if err = fact.Reach(ctx, "pin "+path); err == nil {
		err = mount()
	}
	if err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// unpin takes the namespace off the file at path and removes the file.
func unpin(path string) error {
	err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	// EINVAL: not a mount, only the file of a pin that was cut short.
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return &fs.PathError{Op: "unmount", Path: path, Err: err}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
