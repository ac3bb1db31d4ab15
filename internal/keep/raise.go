package keep

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// nobody is the user and group of children.
const nobody = 65534

// offspring is the child as the parent sees it.
type offspring struct {
	*wire
	answers chan message
	gone    chan struct{}
}

// raise starts the child, and again when it dies, until ctx ends. It stays on its
// thread: the child dies with the thread that started it.
func (p *parent) raise(ctx context.Context) {
	const least, longest = 10 * time.Millisecond, 5 * time.Second
	runtime.LockOSThread()
	wait := least
	for ctx.Err() == nil {
		began := time.Now()
		err := p.bear(ctx)
		if ctx.Err() != nil {
			return
		}
		fmt.Fprintf(os.Stderr, "%s: the child ended: %v\n", time.Now().Format(time.RFC3339), err)
		if time.Since(began) > longest {
			wait = least
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, longest)
	}
}

// bear starts a child, tells it all, and waits until it ends.
func (p *parent) bear(ctx context.Context) error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	theirs := os.NewFile(uintptr(fds[1]), "parent")
	w, err := over(os.NewFile(uintptr(fds[0]), "child"))
	if err != nil {
		theirs.Close()
		return err
	}
	defer w.conn.Close()
	cmd, err := p.begin(ctx, theirs)
	theirs.Close()
	if err != nil {
		return err
	}
	c := &offspring{w, make(chan message), make(chan struct{})}
	go p.hear(ctx, c)
	p.mu.Lock()
	p.child = c
	_ = p.tell(message{Verb: verbKnow, Data: p.know}) // before it is asked
	for at, s := range p.sockets {
		_ = p.tell(message{Verb: verbListen, At: at}, s...)
	}
	p.mu.Unlock()
	err = cmd.Wait()
	w.conn.Close()
	<-c.gone
	p.mu.Lock()
	p.child = nil
	p.mu.Unlock()
	return err
}

// begin starts the child as nobody. Where that is not mapped, in a user namespace
// (user_namespaces(7)), it stays what the parent is, and drops what it can itself.
func (p *parent) begin(ctx context.Context, link *os.File) (*exec.Cmd, error) {
	child := func() *exec.Cmd {
		cmd := exec.CommandContext(ctx, "/proc/self/exe", "keep", p.Name, "--child")
		cmd.Args[0] = "cnet"
		cmd.Env = []string{"GORACE=atexit_sleep_ms=0"}
		cmd.Dir = "/"
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		cmd.ExtraFiles = []*os.File{link}
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		return cmd
	}
	cmd := child()
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	cmd.SysProcAttr.AmbientCaps = p.Privileges
	err := cmd.Start()
	if err != nil && ctx.Err() == nil {
		cmd = child()
		err = cmd.Start()
	}
	return cmd, err
}

// hear takes what the child says: answers, and wishes.
func (p *parent) hear(ctx context.Context, c *offspring) {
	defer close(c.gone)
	for {
		m, _, err := c.receive()
		if err != nil {
			return
		}
		switch {
		case m.Verb == verbDone:
			select {
			case c.answers <- m:
			case <-ctx.Done():
				return
			}
		case m.Verb == verbWish && p.Grant != nil:
			go p.grant(ctx, c.wire, m.Data)
		}
	}
}

func (p *parent) grant(ctx context.Context, w *wire, wish json.RawMessage) {
	err := p.Grant(ctx, wish)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", time.Now().Format(time.RFC3339), err)
	}
	_ = w.done(nil, err)
}
