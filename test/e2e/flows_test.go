package e2e

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/internal/serve"
	"github.com/cnetlab/cnet/pkg/netns"
)

// TestFlows sends datagrams over one socket while a port is published, given to
// another container and taken back. UDP has no beginning: the kernel would go
// on as it began for as long as datagrams come.
func TestFlows(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		lan(t)
		must(t, "network", "create", "lab")
		must(t, "create", "first", "second", "--network", "lab")
		listenUDP(t, "first")
		listenUDP(t, "second")
		client := dialUDP(t, "outside", "203.0.113.2:8080")

		expect := func(when, want string) {
			t.Helper()
			if got := client.ask(t, want); got != want {
				t.Errorf("%s: %q answers, not %q", when, got, want)
			}
		}
		expect("before it is published", "")
		must(t, "publish", "first", "8080:80/udp")
		expect("published", "first")
		must(t, "unpublish", "first", "8080:80/udp")
		expect("unpublished", "")
		must(t, "publish", "second", "8080:80/udp")
		expect("published by another", "second")
		must(t, "delete", "second")
		expect("deleted", "")
	})
}

func listenUDP(t *testing.T, name string) {
	t.Helper()
	s := &serve.Server{Name: name, Addr: ":80", UDP: true}
	if err := netns.Do(path(name), s.Listen); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// udp is a client that keeps its socket, and with it its flow.
type udp struct{ net.Conn }

func dialUDP(t *testing.T, ns, to string) (c udp) {
	t.Helper()
	err := netns.Do(path(ns), func() (err error) {
		c.Conn, err = net.Dial("udp", to)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// ask returns the name of the server that answers, or "". If one is awaited it
// asks again for a while, because an error of the last question may come first.
func (c udp) ask(t *testing.T, awaited string) (name string) {
	t.Helper()
	tries := 1
	if awaited != "" {
		tries = 10
	}
	for ; tries > 0 && name == ""; tries-- {
		_, _ = c.Write([]byte("hello\n"))
		answer := make([]byte, 1024)
		if err := c.SetReadDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		n, _ := c.Read(answer)
		if words := strings.Fields(string(answer[:n])); len(words) > 1 {
			name = words[1]
		}
	}
	return name
}
