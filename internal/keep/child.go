package keep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Child is the half of a kept process that serves. It returns when its parent is
// gone.
func (k Kind) Child() error {
	k.call()
	if err := drop(k.Privileges); err != nil {
		return err
	}
	const link = 3
	unix.CloseOnExec(link)
	w, err := over(os.NewFile(link, "parent"))
	if err != nil {
		return errors.New("it is started by cnet itself")
	}
	c := &child{w: w, granted: make(chan error, 1), server: k.Serve(), told: make(chan told)}
	go c.obey()
	for {
		m, files, err := w.receive()
		if err != nil {
			return nil // the parent is gone
		}
		if m.Verb == verbDone {
			c.granted <- failed(m.Text)
			continue
		}
		c.told <- told{m, files}
	}
}

func failed(text string) error {
	if text == "" {
		return nil
	}
	return errors.New(text)
}

type child struct {
	w       *wire
	server  Server
	told    chan told
	wishing sync.Mutex // one at a time
	granted chan error
}

// told is what the parent says.
type told struct {
	message
	files []*os.File
}

func (c *child) obey() {
	for t := range c.told {
		if d, ok := c.server.(Drainer); ok && t.Verb == verbDrain {
			go c.drain(d, t.Grace)
			_ = c.w.done(nil, nil)
			continue
		}
		data, err := c.do(t)
		_ = c.w.done(data, err)
	}
}

// drain ends the process when its connections have ended.
func (c *child) drain(d Drainer, grace time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	d.Drain(ctx)
	c.w.conn.Close()
}

func (c *child) do(t told) (json.RawMessage, error) {
	defer closeAll(t.files)
	switch t.Verb {
	case verbKnow:
		return nil, c.server.Know(t.Data, c.wish)
	case verbClose:
		return nil, c.server.Close(t.At)
	case verbListen:
		return nil, c.server.Listen(t.At, t.files)
	case verbTell:
		if s, ok := c.server.(Teller); ok {
			return json.Marshal(s.Tell())
		}
	}
	return nil, fmt.Errorf("it cannot %s", t.Verb)
}

// wish has the parent do something, and waits until it has.
func (c *child) wish(what any) error {
	c.wishing.Lock()
	defer c.wishing.Unlock()
	data, err := json.Marshal(what)
	if err != nil {
		return err
	}
	if err := c.w.send(message{Verb: verbWish, Data: data}); err != nil {
		return err
	}
	return <-c.granted
}

// call gives the main thread the name by which others see the process: it was
// started as /proc/self/exe (proc_pid_comm(5)).
func (k Kind) call() { _ = os.WriteFile("/proc/self/comm", []byte("cnet-"+k.Name), 0) }

// drop gives up what is left of privilege but for what is to be kept, in all
// threads: a child that could not be made nobody has the capabilities of its parent.
func drop(but []uintptr) error {
	_, _, e := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	if e == unix.ENOTSUP {
		return nil // built with cgo, as tests with the race detector are: what is nobody has nothing to give up
	}
	if e != 0 {
		return e
	}
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	for _, c := range but {
		sets[c/32].Permitted |= 1 << (c % 32)
		sets[c/32].Effective |= 1 << (c % 32)
	}
	_, _, e = syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&head)), uintptr(unsafe.Pointer(&sets[0])), 0)
	if e != 0 && (e != unix.EPERM || len(but) > 0) {
		return e
	}
	return nil
}
