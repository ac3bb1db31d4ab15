package keep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/internal/proc"
	"github.com/cnetlab/cnet/internal/store"
	"github.com/cnetlab/cnet/pkg/netns"
)

// Kind is a kind of kept process.
type Kind struct {
	Name string // "dns"
	// Netns is the path of the network namespace that it runs in; "" is the host's.
	Netns string
	// Privileges are the capabilities that the child keeps, by number.
	Privileges []uintptr
	// Need tells what the processes must know by now, as JSON, and at which
	// addresses they listen. Nobody needs them where there is nothing to know.
	Need func() (know json.RawMessage, at []netip.AddrPort, err error)
	// Open opens the sockets of an address, in the network namespace of its thread.
	Open func(context.Context, netip.AddrPort) ([]syscall.Conn, error)
	// Grant does what the child wishes. It may be nil.
	Grant func(ctx context.Context, wish json.RawMessage) error
	// Serve is the child. It may be nil where there is nothing to serve.
	Serve func() Server
}

// Server is what a child does. Its methods are called one after the other, but
// for Drain.
type Server interface {
	// Know takes what the child must know from now on. wish tells the parent what
	// the child wants done, and waits for its answer.
	Know(know json.RawMessage, wish func(any) error) error
	// Listen serves at the sockets of an address, which stay the caller's.
	Listen(at netip.AddrPort, sockets []*os.File) error
	// Close ends that.
	Close(netip.AddrPort) error
}

// Teller is a server that can be asked how it fares.
type Teller interface{ Tell() any }

// Drainer is a server whose connections last. Drain closes its sockets, and returns
// when the last connection has ended by itself, or when ctx ends.
type Drainer interface{ Drain(ctx context.Context) }

// patience is how long a command waits until the processes know of its change.
const patience = 5 * time.Second

func (k Kind) path(suffix string) string { return filepath.Join(store.RunDir, k.Name+suffix) }

// hold takes the lock that tells that the process runs. It is nil if one runs.
func (k Kind) hold() (*os.File, error) {
	if err := store.Default().Mkdir(store.RunDir); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(k.path(".lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = nil
	}
	return nil, err
}

// Runs reports whether the process runs. It changes nothing.
func (k Kind) Runs() bool {
	f, err := os.OpenFile(k.path(".lock"), os.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK) // so that two who look do not see each other
}

// Settle brings the process to where it should be: started where it is needed,
// told that something changed, or ended. The caller holds cnet's lock, or knows
// that the process runs. ready are the sockets that one which starts begins with;
// nil has them opened.
func (k Kind) Settle(ctx context.Context, needed bool, ready Sockets) error {
	held, err := k.hold()
	if err != nil {
		return fmt.Errorf("keep %s: %w", k.Name, err)
	}
	if held == nil {
		verb := verbChanged
		if !needed {
			verb = verbEnd
		}
		if err := k.tell(verb); err == nil || errors.Is(err, errRefused) {
			return err
		}
		if err := proc.EndKept(ctx, k.Name); err != nil { // it does not answer
			return err
		}
		if held, err = k.hold(); err != nil || held == nil {
			return errors.Join(fmt.Errorf("keep %s: it neither answers nor ends", k.Name), err)
		}
	}
	defer held.Close()
	if !needed {
		return k.forget(held)
	}
	return k.start(ctx, held, ready)
}

// errRefused is of a process that is well, and cannot do what it was told.
var errRefused = errors.New("it did not succeed")

// tell tells the process something and waits until it is done.
func (k Kind) tell(verb string) error {
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Net: "unix", Name: k.path(".sock")})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	w := &wire{conn: c}
	if err := w.send(message{Verb: verb}); err != nil {
		return err
	}
	answer, _, err := w.receive()
	if verb == verbEnd && errors.Is(err, io.EOF) {
		return nil // it has ended
	}
	return k.refused(answer, err)
}

func (k Kind) refused(answer message, err error) error {
	if err == nil && answer.Text != "" {
		return fmt.Errorf("keep %s: %w: %s", k.Name, errRefused, answer.Text)
	}
	return err
}

// Sweep ends what runs as a kept process though no file tells of it any more: they
// were removed by somebody. The caller holds cnet's lock.
func Sweep(ctx context.Context) error {
	return proc.EndLost(ctx, func(name string) bool { return !Kind{Name: name}.Runs() })
}

// forget removes what a process that has ended left, by whoever holds its lock.
// Files that came in the place of removed ones are those of the next.
func (k Kind) forget(held *os.File) error {
	ours, err := held.Stat()
	if err != nil {
		return err
	}
	if now, err := os.Lstat(k.path(".lock")); err != nil || !os.SameFile(ours, now) {
		return nil
	}
	errs := []error{proc.ForgetKept(k.Name)}
	for _, suffix := range []string{".sock", ".lock"} { // the lock last: it says that nobody runs
		if err := os.Remove(k.path(suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// start starts the parent. Its sockets are open by then, so that nobody is
// refused while it begins.
func (k Kind) start(ctx context.Context, held *os.File, ready Sockets) error {
	if err := proc.ForgetKept(k.Name); err != nil {
		return err
	}
	_, at, err := k.Need()
	if err != nil {
		return fmt.Errorf("keep %s: %w", k.Name, err)
	}
	_ = os.Remove(k.path(".sock")) // of one that was killed
	control, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: k.path(".sock")})
	if err != nil {
		return fmt.Errorf("keep %s: %w", k.Name, err)
	}
	control.SetUnlinkOnClose(false)
	defer control.Close()
	if err := os.Chmod(k.path(".sock"), 0o600); err != nil {
		return err
	}
	f, err := control.File()
	if err != nil {
		return err
	}
	defer f.Close()
	files := []*os.File{held, f}
	var addresses []string
	err = netns.Do(k.Netns, func() error {
		if ready == nil {
			if ready, err = k.sockets(ctx, at); err != nil {
				return err
			}
		}
		defer ready.Close()
		for a, list := range ready {
			for _, s := range list {
				files, addresses = append(files, s), append(addresses, a.String())
			}
		}
		return proc.StartKept(k.Name, []string{"cnet", "keep", k.Name, "--of", proc.Host()}, handed+"="+strings.Join(addresses, " "), files)
	})
	if err != nil {
		return fmt.Errorf("keep %s: %w", k.Name, err)
	}
	return nil
}
