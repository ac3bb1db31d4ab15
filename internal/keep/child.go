package keep

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Child is the half of a kept process that serves. It returns when its parent is
// gone.
func (k Kind) Child() error {
	k.call()
	if err := drop(); err != nil {
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
		_ = c.w.done(c.do(t))
	}
}

func (c *child) do(t told) error {
	switch t.Verb {
	case verbKnow:
		return c.server.Know(t.Data, c.wish)
	case verbClose:
		return c.server.Close(t.At)
	case verbListen:
		udp, tcp, err := sockets(t.files)
		if err != nil {
			return err
		}
		return c.server.Listen(udp, tcp)
	}
	return errors.New("what is " + t.Verb + "?")
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

func sockets(files []*os.File) (*net.UDPConn, net.Listener, error) {
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	if len(files) != 2 {
		return nil, nil, errors.New("two sockets belong together")
	}
	packets, err := net.FilePacketConn(files[0])
	if err != nil {
		return nil, nil, err
	}
	tcp, err := net.FileListener(files[1])
	if err != nil {
		return nil, nil, err
	}
	udp, ok := packets.(*net.UDPConn)
	if !ok {
		return nil, nil, errors.New("the first socket is not of UDP")
	}
	return udp, tcp, nil
}

// call gives the main thread the name by which others see the process: it was
// started as /proc/self/exe (proc_pid_comm(5)).
func (k Kind) call() { _ = os.WriteFile("/proc/self/comm", []byte("cnet-"+k.Name), 0) }

// drop gives up what is left of privilege, in all threads: a child that could not
// be made nobody has the capabilities of its parent.
func drop() error {
	_, _, e := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	if e == unix.ENOTSUP {
		return nil // built with cgo, as tests with the race detector are: what is nobody has nothing to give up
	}
	if e != 0 {
		return e
	}
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	_, _, e = syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&head)), uintptr(unsafe.Pointer(&none[0])), 0)
	if e != 0 && e != unix.EPERM {
		return e
	}
	return nil
}
