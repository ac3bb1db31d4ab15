package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/cnetlab/cnet/pkg/veth"
)

// terminal is a pseudo terminal (pty(7)) and all that was written on it.
type terminal struct {
	slave *os.File
	mu    sync.Mutex
	out   bytes.Buffer
	over  chan struct{}
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	m := &terminal{slave: slave, over: make(chan struct{})}
	go func() {
		defer close(m.over)
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			m.mu.Lock()
			m.out.Write(b[:n])
			m.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return m
}

func (m *terminal) seen() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.out.String()
}

func (m *terminal) wait(t *testing.T, shows string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.HasSuffix(m.seen(), shows); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the terminal shows %q, want it to end in %q", m.seen(), shows)
		}
	}
}

// all is what was written until the terminal was closed.
func (m *terminal) all() string {
	m.slave.Close()
	<-m.over
	return m.seen()
}

func plan() fact.Plan {
	return fact.Plan{Steps: []fact.Step{
		{Verb: fact.Make, Fact: netns.Named{Path: "/run/netns/web"}},
		{Verb: fact.Make, Fact: veth.Pair{Name: "web-eth0", Peer: "eth0"}},
	}}
}

func TestProgress(t *testing.T) {
	t.Setenv("TERM", "xterm")
	m := newTerminal(t)
	n := (&app{err: m.slave}).watcher()
	n.line.wait = 0
	p := plan()
	n.Start(p)
	n.Step(p.Steps[0])
	m.wait(t, "\rcnet: step 1 of 2, namespace\x1b[K")
	n.Step(p.Steps[1])
	m.wait(t, "\rcnet: step 2 of 2, cable\x1b[K")
	n.Note("a word between")
	m.wait(t, "\r\x1b[Kcnet: a word between\r\n\rcnet: step 2 of 2, cable\x1b[K")
	if err := unix.IoctlSetWinsize(int(m.slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 12}); err != nil {
		t.Fatal(err)
	}
	n.Start(p)
	n.Step(p.Steps[0])
	m.wait(t, "\rcnet: step \x1b[K") // what does not fit would begin another line
	n.end()
	if got := m.all(); !strings.HasSuffix(got, "\r\x1b[K") {
		t.Errorf("the terminal shows %q", got)
	}
}

func TestWhatIsSoonOverShowsNoProgress(t *testing.T) {
	t.Setenv("TERM", "xterm")
	for name, over := range map[string]func(*narrator){
		"done":        func(n *narrator) { n.end() },
		"rolled back": func(n *narrator) { n.Back(errors.New("no")); n.end() },
		"never began": func(n *narrator) { n.end() },
	} {
		m := newTerminal(t)
		n := (&app{err: m.slave}).watcher()
		n.line.wait = time.Hour
		if name != "never began" {
			n.Start(plan())
			n.Step(plan().Steps[0])
		}
		over(n)
		if got := m.all(); strings.ContainsAny(got, "\x1b") || strings.Contains(got, "step") {
			t.Errorf("%s: the terminal shows %q", name, got)
		}
	}
}

func TestProgressIsForWhoWatches(t *testing.T) {
	m := newTerminal(t)
	defer m.all()
	for _, c := range []struct {
		name string
		app  app
		term string
		want bool
	}{
		{"a person", app{err: m.slave}, "xterm", true},
		{"a program", app{err: m.slave, output: "json"}, "xterm", false},
		{"who is told all", app{err: m.slave, explain: true}, "xterm", false},
		{"a terminal that cannot", app{err: m.slave}, "dumb", false},
		{"a pipe", app{err: io.Discard}, "xterm", false},
	} {
		t.Setenv("TERM", c.term)
		if got := c.app.watcher().line != nil; got != c.want {
			t.Errorf("%s: progress %v, want %v", c.name, got, c.want)
		}
	}
}
