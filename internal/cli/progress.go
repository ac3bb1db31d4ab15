package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/cnetlab/cnet/internal/engine"
	"github.com/cnetlab/cnet/pkg/fact"
)

// What is over soon needs no progress, and nobody reads faster than this.
const (
	patience = 500 * time.Millisecond
	interval = 100 * time.Millisecond
)

// progress tells on a terminal how far a change has come: in one line, written
// anew again and again, and gone at the end. A nil progress tells nothing.
type progress struct {
	w    *os.File
	wait time.Duration // until the line is first shown
	stop chan struct{} // nil before the first step
	over chan struct{}

	mu          sync.Mutex
	done, total int
	layer       string
	shown       string
}

// progressOn is the progress for a writer: nil for what is no terminal, or one
// that cannot write a line anew.
func progressOn(w io.Writer) *progress {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return &progress{w: f, wait: patience}
}

func (p *progress) start(total int) {
	if p == nil {
		return
	}
	p.mu.Lock()
	p.done, p.total = 0, total
	p.mu.Unlock()
	if p.stop == nil {
		p.stop, p.over = make(chan struct{}), make(chan struct{})
		go p.run()
	}
}

// step counts a step that begins.
func (p *progress) step(s fact.Step) {
	if p == nil {
		return
	}
	p.mu.Lock()
	p.done, p.layer = p.done+1, engine.Layer(s.Fact)
	p.mu.Unlock()
}

// end takes the line away for good.
func (p *progress) end() {
	if p == nil || p.stop == nil {
		return
	}
	close(p.stop)
	<-p.over
	p.stop = nil
	p.clear()
}

// clear takes the line away, for another to be written.
func (p *progress) clear() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown != "" {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = ""
	}
}

func (p *progress) run() {
	defer close(p.over)
	t := time.NewTimer(p.wait)
	defer t.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-t.C:
			p.show()
			t.Reset(interval)
		}
	}
}

func (p *progress) show() {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := fmt.Sprintf("cnet: step %d of %d, %s", p.done, p.total, p.layer)
	if columns, _, err := term.GetSize(int(p.w.Fd())); err == nil && columns > 0 && len(line) >= columns {
		line = line[:columns-1] // a line that wraps could not be written anew
	}
	if p.done > 0 && line != p.shown {
		fmt.Fprint(p.w, "\r"+line+"\x1b[K")
		p.shown = line
	}
}
