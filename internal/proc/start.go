package proc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/cnetlab/cnet/internal/inside"
	"github.com/cnetlab/cnet/internal/store"
)

// How says how a program is kept.
type How struct {
	Keep bool     // it is started again by cnet repair
	Env  []string // with these variables
	Dir  string   // in this folder
}

// Start starts a program in a session of its own, with no input and its output
// going to a log, and records it as the container's. It runs where the calling
// thread is: see [inside.Enter]. A program that cannot be executed is an error.
func Start(container string, argv []string, how How) (Process, error) {
	path, err := inside.Find(argv[0])
	if err != nil {
		return Process{}, err
	}
	log, err := openLog(container)
	if err != nil {
		return Process{}, fmt.Errorf("start %s in %s: %w", argv[0], container, err)
	}
	defer log.Close()
	child, err := spawn(path, argv, log)
	if err != nil {
		os.Remove(log.Name())
		return Process{}, err
	}
	p, err := record(container, child.Pid, argv, log.Name(), how)
	if err != nil {
		_ = child.Kill()
		os.Remove(log.Name())
		return Process{}, fmt.Errorf("start %s in %s: %w", argv[0], container, err)
	}
	return p, child.Release()
}

// openLog opens a log before the number is known that it will be named for.
func openLog(container string) (*os.File, error) {
	if err := store.Default().Mkdir(logDir); err != nil {
		return nil, err
	}
	name := filepath.Join(logDir, fmt.Sprintf(".%s-%d.new", container, os.Getpid()))
	return os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o600)
}

// spawn starts the program. It waits until the program is executed or is known
// not to be: the child tells by a pipe that execve(2) closes.
func spawn(path string, argv []string, log *os.File) (*os.Process, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	child, err := os.StartProcess(path, argv, &os.ProcAttr{
		Env:   os.Environ(),
		Files: []*os.File{null, log, log},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return nil, inside.CannotExecute(argv[0], err)
	}
	return child, nil
}

// record writes who the process is. It may have ended; until its parent ends
// too, the kernel keeps its number.
func record(container string, pid int, argv []string, log string, how How) (Process, error) {
	s, err := readStat(pid)
	if err != nil {
		return Process{}, err
	}
	boot, err := bootID()
	if err != nil {
		return Process{}, err
	}
	p := Process{
		Version: version, Container: container, PID: pid, Started: s.started, Boot: boot, Command: argv,
		Netns: netns("/proc/thread-self/ns/net"), Keep: how.Keep, Env: how.Env, Dir: how.Dir,
	}
	p.Log = p.log()
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // people read it, and commands have && in them
	enc.SetIndent("", "  ")
	if err := enc.Encode(p); err != nil {
		return Process{}, err
	}
	if err := store.Default().Apply([]store.File{{Path: p.file(), Content: text.Bytes()}}); err != nil {
		return Process{}, err
	}
	if err := os.Rename(log, p.Log); err != nil {
		os.Remove(p.file())
		return Process{}, err
	}
	return p, nil
}
