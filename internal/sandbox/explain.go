package sandbox

import (
	"errors"
	"os"
	"strings"

	"github.com/cnetlab/cnet/internal/fail"
	"golang.org/x/sys/unix"
)

// obstacles are the settings by which a machine refuses user namespaces.
var obstacles = [...]struct{ file, name, refuses, allows string }{
	{"/proc/sys/kernel/unprivileged_userns_clone", "kernel.unprivileged_userns_clone", "0", "1"},
	{"/proc/sys/user/max_user_namespaces", "user.max_user_namespaces", "0", "10000"},
	{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "kernel.apparmor_restrict_unprivileged_userns", "1", "0"},
}

// Explain puts the failure to start or to set up a sandbox in words. If the
// machine refuses, the error is of kind fail.NotPermitted and names the setting
// that stands in the way.
func Explain(err error) error {
	const what = "make a sandbox"
	refused := errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) ||
		errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EUSERS)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENODEV):
		return fail.New(fail.HostLacks, what, "this kernel lacks a file system that it needs: %w", err)
	case !refused:
		return fail.New(fail.Failed, what, "%w", err)
	}
	for _, o := range obstacles {
		if value, _ := os.ReadFile(o.file); strings.TrimSpace(string(value)) == o.refuses {
			return fail.New(fail.NotPermitted, what,
				"this machine does not let users make user namespaces (%s is %s): %w", o.name, o.refuses, err).
				Try("run it as root, or allow it: sudo sysctl -w %s=%s", o.name, o.allows)
		}
	}
	return fail.New(fail.NotPermitted, what, "this machine does not allow it: %w", err).Try("run it as root")
}
