package keep

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/internal/proc"
)

// handed is the variable that tells the parent at which addresses the sockets are to
// listen that it was handed. They do not tell: without IPv6, [::] is 0.0.0.0.
const handed = "CNET_KEEP_SOCKETS"

// parent is the half of a kept process that is root.
type parent struct {
	Kind
	held    *os.File // the lock
	mu      sync.Mutex
	sockets Sockets
	know    json.RawMessage
	child   *offspring // nil while there is none
	drains  bool       // it takes no new connections, and ends when there is none
}

// Parent is the process that [Kind.Settle] starts. It returns when it was told to
// end, or when nobody needs it.
func (k Kind) Parent(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	defer stop()
	k.call()
	p := &parent{Kind: k, sockets: make(Sockets)}
	control, err := p.inherit()
	if err != nil {
		return err
	}
	if err := proc.RecordKept(k.Name); err != nil {
		return err
	}
	if needed, err := p.read(ctx); err != nil || !needed {
		return errors.Join(err, k.forget(p.held))
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	go p.listen(ctx, control, end)
	defer context.AfterFunc(ctx, func() { control.Close() })()
	p.raise(ctx)
	return k.forget(p.held)
}

// inherit takes the files that the command handed down.
func (p *parent) inherit() (*net.UnixListener, error) {
	text, ok := os.LookupEnv(handed)
	if !ok {
		return nil, fmt.Errorf("keep %s: it is started by cnet itself", p.Name)
	}
	addresses := strings.Fields(text)
	const first = 3
	files := make([]*os.File, 2+len(addresses))
	for i := range files {
		unix.CloseOnExec(first + i)
		files[i] = os.NewFile(uintptr(first+i), "socket")
	}
	p.held = files[0]
	l, err := net.FileListener(files[1])
	if err != nil {
		return nil, err
	}
	files[1].Close()
	control, ok := l.(*net.UnixListener)
	if !ok {
		return nil, fmt.Errorf("keep %s: it is started by cnet itself", p.Name)
	}
	for i, a := range addresses {
		at, err := netip.ParseAddrPort(a)
		if err != nil {
			return nil, err
		}
		p.sockets[at] = append(p.sockets[at], files[2+i])
	}
	return control, nil
}

// read reads what is needed by now, opens and closes sockets, and tells the
// child, if there is one, of all that is new.
func (p *parent) read(ctx context.Context) (needed bool, err error) {
	know, at, err := p.Need()
	if err != nil || know == nil {
		return false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	wanted := make(map[netip.AddrPort]bool)
	var errs []error
	for _, a := range at {
		if wanted[a] = true; p.sockets[a] != nil {
			continue
		}
		s, err := p.open(ctx, a)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		p.sockets[a] = s
		errs = append(errs, p.tell(message{Verb: verbListen, At: a}, s...))
	}
	for a, s := range p.sockets {
		if !wanted[a] {
			delete(p.sockets, a)
			errs = append(errs, p.tell(message{Verb: verbClose, At: a}))
			closeAll(s)
		}
	}
	if !bytes.Equal(p.know, know) {
		p.know = know
		errs = append(errs, p.tell(message{Verb: verbKnow, Data: know}))
	}
	return true, errors.Join(errs...)
}

// tell is say where the answer has no data.
func (p *parent) tell(m message, files ...*os.File) error {
	_, err := p.say(m, files...)
	return err
}

// say tells the child something, and waits until it is done. A child that dies
// meanwhile is told all when it is raised anew.
func (p *parent) say(m message, files ...*os.File) (json.RawMessage, error) {
	if p.child == nil || p.child.send(m, files...) != nil {
		return nil, nil
	}
	select {
	case a := <-p.child.answers:
		return a.Data, failed(a.Text)
	case <-p.child.gone:
		return nil, nil
	}
}

// listen serves the commands.
func (p *parent) listen(ctx context.Context, control *net.UnixListener, end func()) {
	for {
		c, err := control.AcceptUnix()
		if err != nil {
			return
		}
		w := &wire{conn: c}
		m, _, err := w.receive()
		switch {
		case err != nil:
		case m.Verb == verbEnd:
			end()
			return // the command reads to the end of the connection, which is that of the process
		case m.Verb == verbDrain:
			_ = w.done(nil, p.drain(m, end))
			continue // as above
		case m.Verb == verbTell:
			p.mu.Lock()
			data, err := p.say(m)
			p.mu.Unlock()
			_ = w.done(data, err)
		case p.drains: // who needs it again starts another
		default:
			_, err = p.read(ctx)
			_ = w.done(nil, err)
		}
		c.Close()
	}
}

// drain closes the sockets, and has the process end when the child does, or the
// grace is over. Who asks again may have less patience.
func (p *parent) drain(m message, end func()) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, again := p.child, p.drains
	p.drains = true
	p.sockets.Close()
	p.sockets = nil
	if c == nil {
		end()
		return nil
	}
	if !again {
		if err := p.tell(m); err != nil {
			end()
			return err
		}
	}
	go func() {
		select {
		case <-c.gone:
		case <-time.After(m.Grace):
		}
		end()
	}()
	return nil
}
