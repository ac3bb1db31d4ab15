package keep

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// message is what parent and child, and command and parent, say to each other.
type message struct {
	Verb string         `json:"verb"`
	At   netip.AddrPort `json:"at,omitempty"` // of Listen and Close
	Text string         `json:"text,omitempty"`
	// Grace is for how long connections may last, of Drain.
	Grace time.Duration   `json:"grace,omitempty"`
	Data  json.RawMessage `json:"data,omitempty"`
}

// The verbs.
const (
	verbChanged = "changed" // command to parent: the files say something new
	verbEnd     = "end"     // command to parent: nobody needs you any more
	verbTell    = "tell"    // command to parent, to child: how do you fare
	verbDrain   = "drain"   // command to parent, to child: take no more, and end when the last has ended
	verbListen  = "listen"  // parent to child: the sockets of an address come with it
	verbClose   = "close"   // parent to child
	verbKnow    = "know"    // parent to child: what it must know, in Data
	verbDone    = "done"    // an answer; Text is what went wrong
	verbWish    = "wish"    // child to parent: something that needs root, in Data
)

// wire is a connection on which messages go, each with its length before it.
type wire struct {
	conn *net.UnixConn
	mu   sync.Mutex // of those who send
}

// most bounds a message: of a hundred thousand names.
const most = 64 << 20

// send sends a message, and files with it.
func (w *wire) send(m message, files ...*os.File) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		rights = unix.UnixRights(fds...)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, _, err := w.conn.WriteMsgUnix(binary.BigEndian.AppendUint32(nil, uint32(len(body))), rights, nil); err != nil {
		return err
	}
	_, err = w.conn.Write(body)
	return err
}

// receive receives the next message and the files that came with it.
func (w *wire) receive() (m message, files []*os.File, err error) {
	var head [4]byte
	rights := make([]byte, unix.CmsgSpace(4*4))
	n, nr, _, _, err := w.conn.ReadMsgUnix(head[:], rights)
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		return m, nil, err
	}
	if files, err = filesIn(rights[:nr]); err != nil {
		return m, nil, err
	}
	if _, err := io.ReadFull(w.conn, head[n:]); err != nil {
		return m, files, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > most {
		return m, files, fmt.Errorf("a message of %d bytes", size)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(w.conn, body); err != nil {
		return m, files, err
	}
	return m, files, json.Unmarshal(body, &m)
}

func filesIn(rights []byte) (files []*os.File, err error) {
	list, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return nil, err
	}
	for _, m := range list {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			return nil, err
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "socket"))
		}
	}
	return files, nil
}

// done answers a message, with what was asked for.
func (w *wire) done(data json.RawMessage, err error) error {
	m := message{Verb: verbDone, Data: data}
	if err != nil {
		m.Text = err.Error()
	}
	return w.send(m)
}

// over is the wire over an open file, which is closed.
func over(f *os.File) (*wire, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errors.New("it is no socket of its own host")
	}
	return &wire{conn: u}, nil
}
