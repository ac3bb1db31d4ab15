package sidecar

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// TestDrain ends a proxy while requests, an upgraded connection and a plain one are
// under way, and others have come and said nothing yet: each is served to its end.
func TestDrain(t *testing.T) {
	begun, end := make(chan bool, 2), make(chan bool)
	goOn := sync.OnceFunc(func() { close(end) })
	up := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			echoUpgraded(w)
			return
		}
		begun <- true
		<-end
		_, _ = io.WriteString(w, "late")
	})
	t.Cleanup(goOn)
	p, at, drain := behind(t, up, Config{})
	const get = "GET / HTTP/1.1\r\nHost: web\r\n\r\n"
	under, silent, upgraded := dial(t, at), dial(t, at), dial(t, at)
	say(t, under, get)
	upgrade(t, upgraded)
	<-begun
	tcp := dial(t, at)
	say(t, tcp, "HELP\r\n\r\n")
	hears(t, tcp, "HTTP/1.1 400") // it came, and the server knows no such words
	say(t, silent, "G")
	until(t, "all were accepted", func() bool {
		p.own.mu.Lock()
		defer p.own.mu.Unlock()
		return len(p.own.given) == 4
	})
	drained := make(chan bool)
	go func() {
		drain(20 * time.Second)
		close(drained)
	}()
	until(t, "the proxy listens no more", func() bool {
		c, err := net.Dial("tcp", at)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	say(t, silent, get[1:])
	<-begun
	say(t, upgraded, "still here")
	hears(t, upgraded, "still here")
	select {
	case <-drained:
		t.Error("it drained with connections open")
	default:
	}
	goOn()
	for _, c := range []net.Conn{under, silent} {
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(res.Body); string(b) != "late" || err != nil {
			t.Errorf("answered %q, %v", b, err)
		}
		c.Close()
	}
	upgraded.Close()
	tcp.Close()
	<-drained
}

// TestDrainEnds cuts off what does not end by itself.
func TestDrainEnds(t *testing.T) {
	up := answering(t, func(w http.ResponseWriter, r *http.Request) { echoUpgraded(w) })
	_, at, drain := behind(t, up, Config{})
	c := dial(t, at)
	upgrade(t, c)
	drain(time.Millisecond)
	if b, err := io.ReadAll(c); len(b) > 0 {
		t.Errorf("it goes on: %q, %v", b, err)
	}
}

// TestLastWord drains while a client keeps its connection: what it asks yet is
// answered, and it is told to come no more.
func TestLastWord(t *testing.T) {
	up := answering(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "well") })
	p, at, drain := behind(t, up, Config{})
	c := dial(t, at)
	r := bufio.NewReader(c)
	asked := func() (bool, error) {
		say(t, c, "GET / HTTP/1.1\r\nHost: web\r\n\r\n")
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			return false, err
		}
		_, err = io.Copy(io.Discard, res.Body)
		return res.Close, err
	}
	if closes, err := asked(); closes || err != nil {
		t.Errorf("before: it closes: %v, %v", closes, err)
	}
	drained := make(chan bool)
	go func() {
		drain(20 * time.Second)
		close(drained)
	}()
	until(t, "it drains", p.leaving.Load)
	if closes, err := asked(); !closes || err != nil {
		t.Errorf("after: it closes: %v, %v", closes, err)
	}
	<-drained
}

// TestQueued serves those who have called before the end, and were not taken yet.
func TestQueued(t *testing.T) {
	up := answering(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "well") })
	p, _, _ := behind(t, up, Config{})
	l := listen(t)
	if err := l.SetDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	var waiting []net.Conn
	for i := 0; i < 20; i++ {
		c := dial(t, l.Addr().String())
		say(t, c, "GET / HTTP/1.0\r\nHost: web\r\n\r\n")
		waiting = append(waiting, c)
	}
	if err := p.Serve(l); err != nil {
		t.Fatal(err)
	}
	for _, c := range waiting {
		hears(t, c, "HTTP/1.0 200 OK\r\n")
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("it still listens: %v", err)
	}
}

func upgrade(t *testing.T, c net.Conn) {
	t.Helper()
	say(t, c, "GET / HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("no upgrade: %v, %v", res, err)
	}
}

// echoUpgraded says what it hears, on a connection that is no longer of HTTP.
func echoUpgraded(w http.ResponseWriter) {
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	_, _ = io.Copy(c, rw)
}
