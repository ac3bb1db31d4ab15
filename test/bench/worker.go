package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/cnetlab/cnet/internal/sandbox"
)

// told is what a worker says: once when it is set up, then after each round.
type told struct {
	Version string             `json:"version,omitempty"`
	Figures map[string]float64 `json:"figures,omitempty"`
	Error   string             `json:"error,omitempty"`
}

// work is this program inside the sandbox of a lane. It measures one round for
// each line that it reads.
func work(l lane, in io.Reader, out io.Writer) error {
	say := json.NewEncoder(out)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	h := &host{bin: filepath.Dir(self), links: math.MaxInt, figures: make(map[string]float64)}
	defer h.close()
	if h.dir, err = os.MkdirTemp("/run", "bench"); err != nil {
		return err
	}
	os.Setenv("PATH", h.bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	if err := l.setup(h); err != nil {
		return say.Encode(told{Error: err.Error()})
	}
	h.links = countLinks()
	if err := say.Encode(told{Version: h.version}); err != nil {
		return err
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		h.figures = make(map[string]float64)
		answer := told{Figures: h.figures}
		if err := l.round(h); err != nil {
			answer = told{Error: err.Error()}
		}
		if err := say.Encode(answer); err != nil {
			return err
		}
	}
	return nil
}

// close ends what the lane left running.
func (h *host) close() {
	for i := len(h.undo) - 1; i >= 0; i-- {
		h.undo[i]()
	}
}

// worker is a lane at work, seen from outside.
type worker struct {
	lane
	version string
	begin   *os.File
	answers *json.Decoder
	ended   chan struct{}
	err     error // of the sandbox, once it ended
	spent   time.Duration
	failed  bool
}

// start makes the sandbox of a lane and sets the lane up in it.
func start(ctx context.Context, s scenario, l lane, args []string) (*worker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// Pipes of the kernel: whoever waits at one is woken when the other side ends.
	in, begin, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	answers, out, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, in.Close(), begin.Close())
	}
	w := &worker{lane: l, begin: begin, answers: json.NewDecoder(answers), ended: make(chan struct{})}
	words := append([]string{self, "-worker", s.name + "/" + l.tool + "/" + strconv.Itoa(l.x)}, args...)
	go func() {
		code, err := sandbox.Run(ctx, sandbox.Options{World: l.world, Args: words, Stdin: in, Stdout: out, Stderr: os.Stderr})
		if err == nil && code != 0 {
			err = fmt.Errorf("the worker ended with exit code %d", code)
		}
		w.err = errors.Join(err, in.Close(), out.Close())
		close(w.ended)
	}()
	t, err := w.answer()
	w.version = t.Version
	if err != nil {
		w.stop()
	}
	return w, err
}

func (w *worker) answer() (t told, err error) {
	if err := w.answers.Decode(&t); err != nil {
		<-w.ended // nobody else writes
		return t, errors.Join(w.err, err)
	}
	if t.Error != "" {
		return t, errors.New(t.Error)
	}
	return t, nil
}

// measure has the lane do one round.
func (w *worker) measure() (map[string]float64, error) {
	begun := time.Now()
	defer func() { w.spent += time.Since(begun) }()
	if _, err := io.WriteString(w.begin, "go\n"); err != nil {
		return nil, err
	}
	t, err := w.answer()
	return t.Figures, err
}

// stop ends the lane, and with it its sandbox.
func (w *worker) stop() {
	w.begin.Close()
	<-w.ended
}
