package store

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Holder is who holds the lock of a file.
type Holder struct {
	PID     int    // 0: the kernel does not say, as of a process of another namespace
	Stopped bool   // by a signal or from a terminal: it does not let go by itself
	text    string // in words; empty when nothing is known
}

func (h Holder) String() string {
	if h.text == "" {
		return "another program"
	}
	return h.text
}

// HolderOf tells who holds the flock(2) of a file: its number is what the kernel
// says, the rest what the file itself says, where that is of the same process.
func HolderOf(path string) Holder {
	text, _ := os.ReadFile(path)
	line := strings.TrimSpace(string(text))
	h := Holder{PID: holderPID(path)}
	switch {
	case h.PID == 0, strings.HasPrefix(line, pid(h.PID)+" "):
		h.text = line
	default:
		h.text = fmt.Sprintf("%s (%s)", pid(h.PID), commandOf(h.PID))
	}
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", h.PID))
	_, state, _ := bytes.Cut(stat, []byte(") "))
	h.Stopped = bytes.HasPrefix(state, []byte("T")) || bytes.HasPrefix(state, []byte("t"))
	return h
}

// Holder tells who holds the store's lock.
func (s Store) Holder() Holder { return HolderOf(filepath.Join(s.Run, lockName)) }

func pid(n int) string { return fmt.Sprintf("pid %d", n) }

// holderPID is the process that /proc/locks names for a file (proc_locks(5)).
func holderPID(path string) int {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return 0
	}
	file := fmt.Sprintf("%02x:%02x:%d", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino)
	table, _ := os.ReadFile("/proc/locks")
	for _, line := range strings.Split(string(table), "\n") {
		w := strings.Fields(line) // 1: FLOCK ADVISORY WRITE 4711 00:19:612 0 EOF; who waits has -> first
		if len(w) < 6 || w[1] != "FLOCK" || w[5] != file {
			continue
		}
		var n int
		if _, err := fmt.Sscan(w[4], &n); err == nil && n > 0 {
			return n
		}
	}
	return 0
}

// commandOf is a process's command line, on one line.
func commandOf(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	words := strings.Fields(string(bytes.ReplaceAll(b, []byte{0}, []byte{' '})))
	if len(words) == 0 {
		return "of an unknown command"
	}
	return strings.Join(words, " ")
}
