package nat_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
	"github.com/cnetlab/cnet/pkg/netns"
)

// neighbours adds to wire's world a second container, next, and an outside at
// 203.0.113.1 and 2001:db8::1, which reaches the host at .2 and ::2.
const neighbours = `
	ip netns add next
	ip link add next-eth0 type veth peer name eth0 netns next
	ip link set next-eth0 master cnet-lab up
	bridge link set dev next-eth0 hairpin on
	ip -n next link set lo up
	ip -n next link set eth0 up
	ip -n next addr add 10.77.0.3/24 dev eth0
	ip -n next addr add fd77::3/64 dev eth0 nodad
	ip -n next route add default via 10.77.0.1
	ip -n next route add default via fd77::1
	ip -n web route add default via fd77::1
	ip netns add outside
	ip link add up0 type veth peer name eth0 netns outside
	ip link set up0 up
	ip -n outside link set eth0 up
	ip addr add 203.0.113.2/24 dev up0
	ip addr add 2001:db8::2/64 dev up0 nodad
	ip -n outside addr add 203.0.113.1/24 dev eth0
	ip -n outside addr add 2001:db8::1/64 dev eth0 nodad`

// at is p bound to an address of the host; to is p given to next.
func at(p nat.Publish, host string) nat.Publish {
	p.HostIP = netip.MustParseAddr(host)
	return p
}

func toNext(p nat.Publish) nat.Publish {
	p.To = p.To.Next()
	p.Container = "next"
	return p
}

func byFact(t *testing.T, v fact.Verb, f fact.Fact) {
	t.Helper()
	if v == fact.Make {
		must(t, f.Make(context.Background()))
		return
	}
	must(t, f.Break(context.Background()))
}

func byHand(t *testing.T, v fact.Verb, f fact.Fact) {
	t.Helper()
	var script strings.Builder
	for _, c := range f.Commands(v) {
		fmt.Fprintln(&script, c)
	}
	hosttest.Sh(t, script.String())
}

// answer returns each number that is sent to a port of a container, with the
// container's name.
func answer(t *testing.T, name string, port int) {
	t.Helper()
	l := socket(t, name, port)
	go func() {
		b := make([]byte, 64)
		for {
			n, from, err := l.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			_, _ = l.WriteToUDPAddrPort(append(b[:n:n], name...), from)
		}
	}()
}

// socket receives what comes to a port of a container.
func socket(t *testing.T, name string, port int) (l *net.UDPConn) {
	t.Helper()
	must(t, netns.Do(path(name), func() (err error) {
		l, err = net.ListenUDP("udp", &net.UDPAddr{Port: port})
		return err
	}))
	t.Cleanup(func() { l.Close() })
	must(t, l.SetDeadline(time.Now().Add(20*time.Second))) // a datagram may be lost
	return l
}

// path is that of a namespace; that of the host is empty.
func path(name string) string {
	if name == "" {
		return ""
	}
	return "/run/netns/" + name
}

// caller sends numbers and notes who answers each.
type caller struct {
	*testing.T
	conn net.Conn

	mu   sync.Mutex
	sent uint64
	by   map[uint64]string
}

func callOn(t *testing.T, from, to string) *caller {
	t.Helper()
	c := &caller{T: t, by: make(map[uint64]string)}
	must(t, netns.Do(path(from), func() (err error) {
		c.conn, err = net.Dial("udp", to)
		return err
	}))
	stop, done := make(chan struct{}), make(chan struct{})
	go c.send(stop, done)
	go c.receive()
	t.Cleanup(func() { close(stop); <-done; c.conn.Close() })
	return c
}

func (c *caller) send(stop, done chan struct{}) {
	defer close(done)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		c.mu.Lock()
		c.sent++
		n := c.sent
		c.mu.Unlock()
		_, _ = c.conn.Write(binary.BigEndian.AppendUint64(nil, n))
		select {
		case <-stop:
			return
		case <-tick.C:
		}
	}
}

func (c *caller) receive() {
	b := make([]byte, 64)
	for {
		n, err := c.conn.Read(b)
		if err != nil && strings.Contains(err.Error(), "closed") {
			return
		}
		if err == nil && n > 8 {
			c.mu.Lock()
			c.by[binary.BigEndian.Uint64(b)] = string(b[8:n])
			c.mu.Unlock()
		}
	}
}

// expect waits for some answers to numbers that are sent from now on: all must
// be from who is awaited. If nobody is, it waits until some were sent.
func (c *caller) expect(when, want string) {
	c.Helper()
	if got := c.others(want); got != nil {
		c.Fatalf("%s: answers from %v, want %q only", when, got, want)
	}
}

// expectSoon is expect after a port was taken back. On a busy machine an answer
// may come later than anybody looked, and begin its flow anew (see
// TestLateAnswer): then the port, which is gone, is taken back once more.
func (c *caller) expectSoon(when, want string, gone ...fact.Fact) {
	c.Helper()
	for tries := 0; tries < 2; tries++ {
		got := c.others(want)
		if got == nil {
			return
		}
		c.Logf("%s: answers from %v, want %q only", when, got, want)
		for _, f := range gone {
			byFact(c.T, fact.Break, f)
		}
	}
	c.expect(when, want)
}

// others is nil if all answers to numbers that are sent from now on are from who
// is awaited, or else who answered how often.
func (c *caller) others(want string) map[string]int {
	const enough = 20
	c.mu.Lock()
	from := c.sent + 1 // one may be between its number and its sending
	c.mu.Unlock()
	deadline := time.Now().Add(5 * time.Second)
	for {
		sent, got := c.since(from)
		if want == "" {
			got[""] = sent / 2 // time enough for answers to the others
		}
		switch {
		case len(got) > 1, want != "" && len(got) == 1 && got[want] == 0, time.Now().After(deadline):
			return got
		case got[want] >= enough:
			return nil
		}
		time.Sleep(time.Millisecond)
	}
}

// since counts what was sent after a number, and who answered how often.
func (c *caller) since(from uint64) (sent int, by map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	by = make(map[string]int)
	for n, name := range c.by {
		if n > from {
			by[name]++
		}
	}
	return int(c.sent) - int(from), by
}

// once sends one datagram.
func once(t *testing.T, name, from, to string) {
	t.Helper()
	must(t, netns.Do(path(name), func() error {
		local, err := net.ResolveUDPAddr("udp", from)
		if err != nil {
			return err
		}
		c, err := (&net.Dialer{LocalAddr: local}).Dial("udp", to)
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write([]byte("once"))
		return err
	}))
}
