// Package sandbox makes a throw-away host: a process in network, mount and
// process namespaces of its own, as root or, where the machine lets users make
// user namespaces, as anybody. A program starts itself again with [SysProcAttr]
// and calls [Init] there; what it then does to its network ends with it.
package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Flags are the clone flags of a sandbox: network, mount, process, host name and
// IPC namespaces, and a user namespace for those who may not make the others.
func Flags() uintptr {
	flags := uintptr(unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC)
	if !privileged() {
		flags |= unix.CLONE_NEWUSER
	}
	return flags
}

// SysProcAttr starts a process as the first of a new sandbox. The process must
// call [Init] before anything else. It is process 1 there and root; when it ends
// all processes of the sandbox end, and it ends with the thread that started it,
// which the caller therefore locks until the end.
func SysProcAttr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Cloneflags: Flags(), Pdeathsig: syscall.SIGKILL}
	if attr.Cloneflags&unix.CLONE_NEWUSER != 0 {
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return attr
}

// privileged reports whether this process may make namespaces as it is.
func privileged() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	if err := unix.Capget(&header, &caps[0]); err != nil {
		return os.Geteuid() == 0
	}
	const need = 1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_NET_ADMIN
	return caps[0].Effective&need == need
}

// Init makes the new namespaces that this process was started in a host of its
// own: nothing that it mounts reaches the machine, /run is empty, /etc and
// /var/lib are private copies, /proc and /sys show the sandbox. The link lo is
// down, as on any new host.
func Init() error {
	for _, step := range []func() error{private, shadow, kernelFiles} {
		if err := step(); err != nil {
			return Explain(err)
		}
	}
	return os.Setenv("PATH", withSbin(os.Getenv("PATH")))
}

// private keeps mounts from spreading to the machine.
func private() error { return mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") }

// shadow puts a layer over /etc and /var/lib that takes all that is written, and
// an empty /run in the place of the machine's. The layers are stored under a
// first /run, which the second then hides.
func shadow() error {
	if err := tmpfs("/run"); err != nil {
		return err
	}
	for _, dir := range []string{"/etc", "/var/lib"} {
		upper, work := filepath.Join("/run/upper", dir), filepath.Join("/run/work", dir)
		if err := errors.Join(os.MkdirAll(upper, 0o755), os.MkdirAll(work, 0o755)); err != nil {
			return err
		}
		for _, hidden := range []string{"/etc/netns", "/var/lib/cnet"} {
			if err := hide(dir, hidden, upper); err != nil {
				return err
			}
		}
		if err := noResolvers(dir, upper); err != nil {
			return err
		}
		options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", dir, upper, work)
		if err := overlay(dir, options); err != nil {
			return err
		}
	}
	return tmpfs("/run")
}

// hide puts a whiteout for the path in the upper layer of dir: the machine's own
// containers are no concern of the sandbox.
func hide(dir, path, upper string) error {
	name := strings.TrimPrefix(path, dir+"/")
	if _, err := os.Lstat(path); err != nil || name == path {
		return nil
	}
	if err := unix.Mknod(filepath.Join(upper, name), unix.S_IFCHR, 0); err != nil {
		return fmt.Errorf("hide %s: %w", path, err)
	}
	return nil
}

// noResolvers puts a resolv.conf that names nobody into the upper layer of /etc:
// no name server of the machine can be reached from the sandbox.
func noResolvers(dir, upper string) error {
	if dir != "/etc" {
		return nil
	}
	return os.WriteFile(filepath.Join(upper, "resolv.conf"), []byte("# none reaches out of a sandbox\n"), 0o644)
}

func tmpfs(dir string) error {
	return mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755")
}

// overlay mounts a layer over dir. Inside a user namespace its bookkeeping
// has to be in user attributes, which kernels before 5.11 do not know.
func overlay(dir, options string) error {
	err := mount("overlay", dir, "overlay", 0, options+",userxattr")
	if err != nil {
		err = mount("overlay", dir, "overlay", 0, options)
	}
	return err
}

// kernelFiles shows the processes and the links of the sandbox. A container may
// keep a /sys of its own from being mounted; cnet needs none.
func kernelFiles() error {
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if err := mount("proc", "/proc", "proc", flags, ""); err != nil {
		return err
	}
	_ = mount("sysfs", "/sys", "sysfs", flags, "")
	return nil
}

func mount(source, target, kind string, flags uintptr, options string) error {
	if err := unix.Mount(source, target, kind, flags, options); err != nil {
		return fmt.Errorf("mount %s on %s: %w", kind, target, err)
	}
	return nil
}

// withSbin adds the folders of the network programs, which the PATH of ordinary
// users may lack.
func withSbin(path string) string {
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if !strings.Contains(":"+path+":", ":"+dir+":") {
			path += ":" + dir
		}
	}
	return path
}
