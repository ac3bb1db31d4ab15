// Package fault lets a test cut a change off at any of its points: before each
// step, between two calls of the kernel within a step, and around every file
// that is written. Each process counts the points that it comes to, from 1.
//
//	CNET_FAULT=kill:7      at the 7th point the process kills itself (SIGKILL)
//	CNET_FAULT=int:7       it gets a SIGINT there, as by Ctrl-C; or term:7
//	CNET_FAULT=fail:7      what it does there fails with "input/output error"
//	CNET_FAULT_LOG=FILE    the points that it comes to, a line each
//
// The variables reach nothing but the process that has them, and do nothing to
// it that whoever sets them could not do with kill(1).
package fault

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/cnetlab/cnet/internal/fail"
)

// The names of the environment variables.
const (
	Variable = "CNET_FAULT"
	LogTo    = "CNET_FAULT_LOG"
)

// Points counts the points that a process comes to. The zero value lets it pass
// all of them, and so does a nil one.
type Points struct {
	act  string // kill, int, term, fail
	at   int
	log  string
	seen int
}

// FromEnv is what the environment asks for.
func FromEnv() (*Points, error) {
	p := &Points{log: os.Getenv(LogTo)}
	text := os.Getenv(Variable)
	if text == "" {
		return p, nil
	}
	act, n, _ := strings.Cut(text, ":")
	at, err := strconv.Atoi(n)
	if err != nil || at < 1 || signal(act) == 0 && act != "fail" {
		return nil, fail.New(fail.Usage, Variable+"="+text, "it is no fault").Try("%s=kill:7, or int, term, fail", Variable)
	}
	p.act, p.at = act, at
	return p, nil
}

func signal(act string) syscall.Signal {
	switch act {
	case "kill":
		return syscall.SIGKILL
	case "int":
		return syscall.SIGINT
	case "term":
		return syscall.SIGTERM
	}
	return 0
}

// Reach counts a point and does there what was asked for.
func (p *Points) Reach(point string) error {
	if p == nil || p.act == "" && p.log == "" {
		return nil
	}
	p.seen++
	if err := p.write(point); err != nil {
		return err
	}
	switch {
	case p.seen != p.at:
		return nil
	case p.act == "fail":
		return fmt.Errorf("%s: %w", point, syscall.EIO)
	}
	if err := syscall.Kill(os.Getpid(), signal(p.act)); err != nil {
		return err
	}
	if p.act == "kill" {
		select {} // not a step further while the signal is on its way
	}
	return nil
}

func (p *Points) write(point string) error {
	if p.log == "" {
		return nil
	}
	f, err := os.OpenFile(p.log, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintf(f, "%d %s\n", p.seen, point)
	return err
}
