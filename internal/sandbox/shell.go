package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	prompt = "(cnet sandbox) "
	ownDir = "/run/cnet-sandbox" // files of the sandbox's own
)

// shell is the user's shell, with a prompt that says where one is.
func shell() (args []string, err error) {
	path := os.Getenv("SHELL")
	if _, err := exec.LookPath(path); err != nil {
		path = "/bin/sh"
	}
	if !onTerminal() {
		return []string{path}, nil
	}
	fmt.Fprintln(os.Stderr, greeting)
	if filepath.Base(path) == "bash" {
		rc := filepath.Join(ownDir, "bashrc")
		return []string{path, "--rcfile", rc}, write(rc, bashrc)
	}
	return []string{path}, os.Setenv("PS1", prompt+"# ")
}

// lead makes a command that is a shell on a terminal the leader of a process
// group that has the terminal, so that its job control works: from a process
// namespace of its own it cannot tell the group that it was started in.
func lead(args []string, attr *syscall.SysProcAttr) {
	known := map[string]bool{"sh": true, "ash": true, "bash": true, "dash": true, "fish": true, "ksh": true, "zsh": true}
	script := len(args) > 1 && args[1] != "--rcfile"
	if !known[filepath.Base(args[0])] || script || !onTerminal() {
		return
	}
	// A process that takes the terminal from the background is stopped, unless it ignores this.
	signal.Ignore(unix.SIGTTOU)
	attr.Foreground, attr.Ctty = true, 0
}

func onTerminal() bool {
	_, err := unix.IoctlGetTermios(0, unix.TCGETS)
	return err == nil
}

const greeting = `This is a sandbox: a host of its own, with its own links, routes and rules.
It and all that is in it end with this shell.`

const bashrc = `[ -f ~/.bashrc ] && . ~/.bashrc
PS1="` + prompt + `${PS1:-# }"
`

// offerSelf lets the command find this very program by the name cnet.
func offerSelf() error {
	self, err := os.Executable()
	if err != nil || strings.HasPrefix(self, "/run/") { // hidden by the sandbox's own /run
		return err
	}
	bin := filepath.Join(ownDir, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	if err := os.Symlink(self, filepath.Join(bin, "cnet")); err != nil {
		return err
	}
	return os.Setenv("PATH", bin+":"+os.Getenv("PATH"))
}

func write(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o644)
}
