package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// lane is one tool in a scenario. It has a sandbox of its own, in which it is set
// up once and then measured round by round, in turn with the other lanes.
type lane struct {
	tool  string // what the tables call it
	x     int    // ports, containers: what a scenario counts
	world bool   // the sandbox has an outside
	setup func(*host) error
	round func(*host) error // measures with host.time
}

// scenario is what several tools are compared in.
type scenario struct {
	name   string
	title  string
	unit   string // of the figures
	counts string // what x is, empty where there is one
	floor  string // the tool that the others are compared with
	rounds int
	lanes  []lane
}

// host is the sandbox of a lane, seen from inside.
type host struct {
	bin     string // the folder of cnet, floor and nothing
	dir     string // a folder of its own
	version string // of the tool, as far as it says
	links   int    // how many there are when nothing is up
	figures map[string]float64
	cpu     time.Duration // of the programs run so far
	undo    []func()
}

// run runs a program that is not measured.
func (h *host) run(words ...string) error { return h.command(nil, words...) }

// command runs a program and waits for it. Its output matters only when it fails.
func (h *host) command(stdin []byte, words ...string) error {
	errs, err := os.Create(filepath.Join(h.dir, "stderr"))
	if err != nil {
		return err
	}
	defer errs.Close()
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Stderr = errs // a file, not a pipe: nobody reads while it is measured
	if stdin != nil {
		cmd.Stdin = bytes.NewReader(stdin)
	}
	err = cmd.Run()
	if cmd.ProcessState != nil {
		h.cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	if err != nil {
		text, _ := os.ReadFile(errs.Name())
		line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
		return fmt.Errorf("%s: %w: %s", shorten(words), err, line)
	}
	return nil
}

func shorten(words []string) string {
	if len(words) > 5 {
		words = append(words[:5:5], "…")
	}
	return strings.Join(words, " ")
}

// time measures a program from its start to its end, in milliseconds.
func (h *host) time(metric string, words ...string) error {
	return h.clock(metric, func() error { return h.run(words...) })
}

// clock measures fn, in milliseconds, and the time that its programs computed.
func (h *host) clock(metric string, fn func() error) error {
	begun, cpu := time.Now(), h.cpu
	err := fn()
	h.figures[metric] = since(begun)
	h.figures[metric+" cpu"] = milliseconds(h.cpu - cpu)
	return err
}

// clockGone measures fn, which takes links away, and how long it is until they are.
func (h *host) clockGone(fn func() error) error {
	begun := time.Now()
	err := h.clock("down", fn)
	for err == nil && countLinks() > h.links {
		if time.Since(begun) > 10*time.Second {
			return fmt.Errorf("%d links are left", countLinks()-h.links)
		}
		time.Sleep(200 * time.Microsecond)
	}
	h.figures["gone"] = since(begun)
	return err
}

func (h *host) timeGone(words ...string) error {
	return h.clockGone(func() error { return h.run(words...) })
}

func since(begun time.Time) float64 { return milliseconds(time.Since(begun)) }

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func countLinks() int {
	links, err := os.ReadDir("/sys/class/net")
	if err != nil {
		return 0
	}
	return len(links)
}

// each runs steps until one fails.
func each(steps ...func() error) error {
	for _, s := range steps {
		if err := s(); err != nil {
			return err
		}
	}
	return nil
}

// output is what a program prints, without the blank at its ends.
func output(words ...string) string {
	out, _ := exec.Command(words[0], words[1:]...).CombinedOutput()
	return strings.TrimSpace(string(out))
}

// find is the path of a program, in the PATH or in one of folders.
func find(program string, folders ...string) (string, error) {
	for _, dir := range folders {
		path := filepath.Join(dir, program)
		if info, err := os.Stat(path); dir != "" && err == nil && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("there is no %s here", program)
	}
	return path, nil
}
