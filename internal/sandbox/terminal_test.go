package sandbox_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo terminal and what was written on it: pty(7).
type terminal struct {
	*os.File
	mu  sync.Mutex
	out bytes.Buffer
}

// onTerminal starts a program on a terminal of its own.
func onTerminal(t *testing.T, cmd *exec.Cmd) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
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
	defer slave.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	term := &terminal{File: master}
	go term.read()
	return term
}

func (m *terminal) read() {
	b := make([]byte, 4096)
	for {
		n, err := m.Read(b)
		m.mu.Lock()
		m.out.Write(b[:n])
		m.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// types writes a line and waits for the terminal to show text.
func (m *terminal) types(t *testing.T, line, shows string) {
	t.Helper()
	m.mu.Lock()
	m.out.Reset()
	m.mu.Unlock()
	if _, err := m.WriteString(line); err != nil {
		t.Fatal(err)
	}
	m.wait(t, shows)
}

func (m *terminal) wait(t *testing.T, shows string) {
	t.Helper()
	seen := ""
	defer func() {
		if t.Failed() {
			t.Logf("the terminal shows %q", seen)
		}
	}()
	waitFor(t, shows, func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		seen = m.out.String()
		return strings.Contains(seen, shows)
	})
}

// TestTerminal types at a shell that starts sandboxes: job control works within,
// and the outer shell has the terminal back afterwards.
func TestTerminal(t *testing.T) {
	needSandbox(t)
	cmd := exec.Command("sh", "-i")
	cmd.Env = append(os.Environ(), "PS1=outer# ", "SHELL=/bin/sh", "ENV=")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	sandboxed := door + "=1 " + self
	// Keys are typed once the program runs: a dash that is about to start one may
	// lose a signal.
	const sleeper = "sh -c 'echo r''eady; exec sleep 1000'\n"
	m := onTerminal(t, cmd)
	m.wait(t, "outer# ")
	m.types(t, sandboxed+"\n", "(cnet sandbox) # ")
	m.types(t, sleeper, "ready")
	m.types(t, "\x03", "(cnet sandbox) # ") // Ctrl-C ends sleep, and not the shell
	m.types(t, sleeper, "ready")
	m.types(t, "\x1a", "(cnet sandbox) # ") // Ctrl-Z
	m.types(t, "jobs\n", "Stopped")
	m.types(t, "exit 9\n", "stopped jobs") // once more means it
	m.types(t, "exit 9\n", "outer# ")
	m.types(t, "echo code $?\n", "code 9\r\n")
	m.types(t, sandboxed+" "+sleeper, "ready")
	m.types(t, "\x1a", "outer# ") // the outer shell's job control
	m.types(t, "fg\n", self)
	m.types(t, "\x03", "outer# ")
	m.types(t, "echo code $?\n", "code 130\r\n")
}
