package e2e

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cnetlab/cnet/pkg/netns"
)

// stream is a TCP connection that stays open and echoes numbers, one every few
// milliseconds. A reset, or a byte that is lost or wrong, ends it with an error.
type stream struct {
	name string
	conn net.Conn
	seen atomic.Uint64 // numbers that came back
	end  chan error
}

// listenEcho has the namespace ns ("" is the host) answer at port 80 with what it hears.
func listenEcho(t *testing.T, ns string) {
	t.Helper()
	serve80(t, ns, func(c net.Conn) { _, _ = io.Copy(c, c) })
}

// serve80 listens at port 80 of a container and serves each connection, which is
// closed after it. end ends it before the test does.
func serve80(t *testing.T, ns string, serve func(net.Conn)) (end func()) {
	t.Helper()
	var l net.Listener
	err := netns.Do(path(ns), func() (err error) {
		l, err = net.Listen("tcp", ":80")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return func() { l.Close() }
}

// openStream opens a stream from the namespace ns to an address.
func openStream(t *testing.T, name, ns, to string) *stream {
	t.Helper()
	s := &stream{name: name, end: make(chan error, 1)}
	err := netns.Do(path(ns), func() (err error) {
		s.conn, err = net.DialTimeout("tcp", to, 10*time.Second)
		return err
	})
	if err != nil {
		t.Fatalf("stream %s: %v", name, err)
	}
	t.Cleanup(func() { s.conn.Close() })
	go func() { s.end <- s.run() }()
	return s
}

func (s *stream) run() error {
	var out, in [8]byte
	for n := uint64(1); ; n++ {
		binary.BigEndian.PutUint64(out[:], n)
		if _, err := s.conn.Write(out[:]); err != nil {
			return err
		}
		if _, err := io.ReadFull(s.conn, in[:]); err != nil {
			return err
		}
		if in != out {
			return fmt.Errorf("%x came back for %x", in, out)
		}
		s.seen.Store(n)
		time.Sleep(15 * time.Millisecond) // a pause between numbers, as of somebody who types
	}
}

// goesOn waits until the stream has brought a number more.
func (s *stream) goesOn() error {
	before, deadline := s.seen.Load(), time.Now().Add(15*time.Second)
	for ; time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		select {
		case err := <-s.end:
			s.end <- err
			return err
		default:
		}
		if s.seen.Load() > before {
			return nil
		}
	}
	return fmt.Errorf("it stands still at %d", before)
}
