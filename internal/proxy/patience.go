package proxy

import (
	"errors"
	"io"
	"sync"
	"time"
)

// ErrRequest is the error of a request that did not come whole from its client. No
// backend is to blame.
var ErrRequest = errors.New("the request did not come whole")

// patience is the time that a backend has until its answer begins. While the
// client is still to send, the backend waits too, and the time does not run.
type patience struct {
	mu    sync.Mutex
	limit time.Duration // 0 is for ever
	timer *time.Timer
	held  bool // the client is to send
	over  bool // an answer began, or the time ran out
	late  bool
	wrong error // what was wrong with what the client sent
	stop  func()
}

// newPatience calls stop when the time runs out.
func newPatience(limit time.Duration, stop func()) *patience {
	p := &patience{limit: limit, stop: stop}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.start()
	return p
}

func (p *patience) start() {
	if p.limit > 0 && !p.over {
		p.timer = time.AfterFunc(p.limit, p.runOut)
	}
}

func (p *patience) halt() {
	if p.timer != nil {
		p.timer.Stop()
	}
}

func (p *patience) runOut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held || p.over {
		return
	}
	p.over, p.late = true, true
	p.stop()
}

// end stops the time. It reports whether it had run out, and what was wrong with
// what the client sent.
func (p *patience) end() (late bool, wrong error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	p.halt()
	return p.late, p.wrong
}

func (p *patience) hold(held bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = held
	if err != nil && !errors.Is(err, io.EOF) {
		p.wrong = err
	}
	p.halt()
	if !held {
		p.start()
	}
}

// while is what the client sends, for which the time does not run.
func (p *patience) while(r io.Reader) io.Reader { return &waited{r, p} }

type waited struct {
	io.Reader
	patience *patience
}

func (w *waited) Read(b []byte) (int, error) {
	w.patience.hold(true, nil)
	n, err := w.Reader.Read(b)
	w.patience.hold(false, err)
	return n, err
}
