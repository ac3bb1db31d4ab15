// Package inside brings this process into a container: into its network
// namespace, with files of its own in /etc, as `ip netns exec` does
// (ip-netns(8)). A program that then takes the process's place has all of that
// from its first instruction on.
package inside

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/topology"
)

// EtcDir holds a folder for each namespace with files that stand in for those
// of /etc.
const EtcDir = "/etc/netns"

// Enter brings the calling goroutine's thread into the container of that name,
// for good: the goroutine stays locked to it. What it executes or starts then
// runs inside and has no file but standard input, output and error. Of a file
// that cannot stand in for one of /etc a note tells.
func Enter(container string) (notes []string, err error) {
	runtime.LockOSThread()
	if err := enterNetwork(container, topology.NetnsPath(container)); err != nil {
		return nil, err
	}
	if err := ownMounts(); err != nil {
		return nil, refused(container, "give it mounts of its own", err)
	}
	mountSys()
	if notes, err = bindEtc(filepath.Join(EtcDir, container)); err != nil {
		return nil, refused(container, "give it its own /etc", err)
	}
	if err := keepFiles(); err != nil {
		return nil, refused(container, "close other files", err)
	}
	return notes, nil
}

// ErrNoNamespace is the error when the container's namespace is not there: it
// was damaged, or is just being made or deleted.
var ErrNoNamespace = errors.New("is not there")

func enterNetwork(container, path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		defer unix.Close(fd)
		err = unix.Setns(fd, unix.CLONE_NEWNET)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.EINVAL): // the latter: a file without its mount
		return fail.New(fail.Failed, "enter "+container, "its network namespace %s %w", path, ErrNoNamespace).Try("cnet up")
	case err != nil:
		return refused(container, "enter its network namespace "+path, err)
	}
	return nil
}

// ownMounts gives the thread a mount namespace that hears of the host's mounts
// and tells nothing back (mount_namespaces(7)).
func ownMounts() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	return unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, "")
}

// mountSys shows the namespace's links in /sys/class/net. Inside another
// container the kernel may refuse it; then the host's go on being shown.
func mountSys() {
	flags := uintptr(unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	var st unix.Statfs_t
	if err := unix.Statfs("/sys", &st); err == nil && st.Flags&unix.ST_RDONLY != 0 {
		flags |= unix.MS_RDONLY // a read-only one cannot be covered by a writable one
	}
	_ = unix.Mount("sysfs", "/sys", "sysfs", flags, "")
}

// bindEtc puts each file of dir over that of the same name in /etc.
func bindEtc(dir string) (notes []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		source, target := filepath.Join(dir, e.Name()), filepath.Join("/etc", e.Name())
		err := unix.Mount(source, target, "", unix.MS_BIND, "")
		switch {
		case errors.Is(err, fs.ErrNotExist):
			notes = append(notes, fmt.Sprintf("%s is not seen inside: the host has no %s that it could stand in for", source, target))
		case err != nil:
			return nil, fmt.Errorf("put %s over %s: %w", source, target, err)
		}
	}
	return notes, nil
}

// keepFiles has every file but the standard three closed at the next execve(2).
func keepFiles() error {
	const first = 3
	err := unix.CloseRange(first, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if err == nil {
		return nil
	}
	entries, err := os.ReadDir("/proc/thread-self/fd") // kernels before 5.11
	if err != nil {
		return err
	}
	for _, e := range entries {
		var fd int
		if _, err := fmt.Sscan(e.Name(), &fd); err == nil && fd >= first {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// refused is what the kernel's refusal means to the user.
func refused(container, step string, err error) error {
	what := "enter " + container
	if errors.Is(err, fs.ErrPermission) {
		return fail.New(fail.NotPermitted, what, "%s: entering a namespace needs root: %w", step, err).Try("run it with sudo")
	}
	return fail.New(fail.Failed, what, "%s: %w", step, err)
}
