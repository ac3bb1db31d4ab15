package sidecar

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLoop leads what the proxy sends to the proxy itself: each call makes one
// connection, which is cut off; seldom two, where who made it is kept waiting for
// longer than the proxy listens to what it was given.
func TestLoop(t *testing.T) {
	l := listen(t)
	p, at, _ := behind(t, word(l.Addr()), Config{Retries: 5})
	go func() { _ = p.Serve(l) }()
	const calls = 100
	var wg sync.WaitGroup
	for i := 0; i < calls/2; i++ {
		for _, words := range []string{"GET / HTTP/1.1\r\nHost: web\r\n\r\n", "\x16\x03\x01"} {
			wg.Add(1)
			go func(words string) {
				defer wg.Done()
				c := dial(t, at)
				say(t, c, words)
				if b, err := bufio.NewReader(c).ReadString('\n'); err == nil && b != "HTTP/1.1 502 Bad Gateway\r\n" {
					t.Errorf("answered %q", b)
				}
				c.Close()
			}(words)
		}
	}
	wg.Wait()
	if s := p.Status(); s.Loops < calls*9/10 || s.Connections > calls*11/10 {
		t.Errorf("of %d calls %d came back, with %d connections", calls, s.Loops, s.Connections)
	}
	until(t, "all is forgotten", func() bool {
		p.own.mu.Lock()
		defer p.own.mu.Unlock()
		return len(p.own.made)+len(p.own.given) == 0
	})
}

// TestSamePort has the proxy call from the port that its client called from, as the
// kernel may choose: to another place, so that it is no loop.
func TestSamePort(t *testing.T) {
	up := answering(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up") })
	from := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(nobody(t).Port())}
	shared := &net.Dialer{LocalAddr: from, Control: func(_, _ string, c syscall.RawConn) (err error) {
		ctl := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) })
		return errors.Join(ctl, err)
	}}
	p, at, _ := behind(t, vip, Config{Services: web(up)}, func(p *Proxy) { p.Dialer = shared })
	c, err := shared.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	say(t, c, "GET / HTTP/1.0\r\nHost: web\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || res.StatusCode != 200 {
		t.Errorf("answered %v, %v", res, err)
	}
	if s := p.Status(); s.Loops != 0 {
		t.Errorf("%d loops were seen", s.Loops)
	}
}
