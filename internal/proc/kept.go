package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/internal/fail"
)

// kept is the owner of the records of a process that cnet keeps for itself. No
// container has such a name.
func kept(name string) string { return "@" + name }

// Kept are the names of the processes of cnet's own that have records.
func Kept() ([]string, error) {
	var names []string
	list, err := owners()
	for _, name := range list {
		if own, ok := strings.CutPrefix(name, "@"); ok {
			names = append(names, own)
		}
	}
	return names, err
}

// ListKept are the records of a process of cnet's own.
func ListKept(name string) ([]Process, error) { return List(kept(name)) }

// Host is the number of the network namespace of this program's main thread, by
// which its processes are told from those of other hosts on the machine.
func Host() string { return strconv.FormatUint(netns("/proc/self/ns/net"), 10) }

// StartKept starts this program anew, in a session of its own and with a log, to
// run as a process of cnet's own. files are its own from the third on, and env is
// what tells it of them. It records itself, by [RecordKept].
func StartKept(name string, argv []string, env string, files []*os.File) error {
	log, err := openLog(kept(name))
	if err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	defer log.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	p, err := os.StartProcess("/proc/self/exe", argv, &os.ProcAttr{
		Dir: "/", Env: []string{"PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0", env}, Files: append([]*os.File{null, log, log}, files...), Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		os.Remove(log.Name())
		return fail.New(fail.Failed, "start "+name, "%w", err)
	}
	return p.Release()
}

// RecordKept records the calling process, which [StartKept] started.
func RecordKept(name string) error {
	log, err := os.Readlink("/proc/self/fd/1")
	if err == nil {
		_, err = record(kept(name), os.Getpid(), os.Args[:min(3, len(os.Args))], log, How{Keep: true})
	}
	if err != nil {
		return fmt.Errorf("record %s: %w", name, err)
	}
	return nil
}

// EndKept ends a process of cnet's own that does not end by itself.
func EndKept(ctx context.Context, name string) error { return End(ctx, kept(name), false) }

// ForgetKept removes the records and logs of a process of cnet's own.
func ForgetKept(name string) error {
	list, err := ListKept(name)
	return errors.Join(err, forget(kept(name), list))
}

// EndLost ends the processes of cnet's own, of this host, by whose names none is
// to run: somebody removed cnet's files. Those of a child end with their parents.
func EndLost(ctx context.Context, lost func(name string) bool) error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	var found []pidfd
	defer func() {
		for _, fd := range found {
			unix.Close(int(fd))
		}
	}()
	host := Host()
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		w := strings.Split(string(line), "\x00")
		if len(w) != 6 || w[0] != "cnet" || w[1] != "keep" || w[3] != "--of" || w[4] != host || !lost(w[2]) {
			continue
		}
		if fd, ok := hold(pid, func(stat) bool { return true }); ok {
			found = append(found, fd)
		}
	}
	left, err := end(ctx, found)
	if err == nil && len(left) > 0 {
		err = errors.New("they do not end")
	}
	if err != nil {
		return fmt.Errorf("end processes that were lost: %w", err)
	}
	return nil
}
