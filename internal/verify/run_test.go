package verify

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/hosttest"
)

// TestRun: what comes of a call, by who serves the port. Here the host calls
// itself.
func TestRun(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		hosttest.Sh(t, "ip link set lo up\nip address add 192.0.2.1/32 dev lo")
		loopback, other := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("192.0.2.1")
		strangers(t)
		for _, c := range []struct {
			name, state, why string
			p                Promise
		}{
			{"its own server, TCP", Kept, "", self(loopback, 81, TCP)},
			{"its own server, UDP", Kept, "", self(loopback, 81, UDP)},
			{"an echo", Kept, "", Promise{From: TheHost, To: Gateway, Addr: loopback, Proto: ICMP, Reach: true}},
			{"another's server, TCP", Kept, "", self(loopback, 80, TCP)},
			{"another's server, UDP, which keeps silent", Unproven, "does not answer this", self(loopback, 80, UDP)},
			{"another's server, UDP, closed", Unproven, "proves nothing", self(loopback, 80, UDP).from(TheHost, false)},
			{"SCTP", Unproven, "SCTP is not tried", self(loopback, 81, SCTP)},
			{"open, and should be closed", Broken, "must not", self(loopback, 82, TCP).from(TheHost, false)},
			{"open to datagrams, and should be closed", Broken, "must not", self(loopback, 82, UDP).from(TheHost, false)},
			{"nobody answers", Broken, "connection refused", self(loopback, 83, TCP).at(other)},
			{"nobody answers datagrams", Broken, "connection refused", self(loopback, 83, UDP).at(other)},
			{"nobody answers, and none shall", Kept, "", self(loopback, 83, TCP).at(other).from(TheHost, false)},
			{"the wrong server answers", Broken, "another server answers", self(other, 81, TCP).at(loopback)},
			{"the wrong server answers what is closed", Kept, "", self(other, 81, TCP).at(loopback).from(TheHost, false)},
			{"one of several servers answers", Kept, "", either(self(loopback, 85, TCP), other, loopback)},
			{"one of several servers is not there", Broken, "does not have the address", either(self(loopback, 85, TCP), loopback, netip.MustParseAddr("192.0.2.9"))},
			{"another's server is one of several", Kept, "", either(self(loopback, 80, TCP), other, loopback)},
			{"one of several servers is open, and should be closed", Broken, "must not", either(self(loopback, 85, TCP), other, loopback).from(TheHost, false)},
			{"the caller is seen as another", Broken, "is not seen there as 192.0.2.7", seen(self(loopback, 84, TCP), "192.0.2.7")},
			{"no echo of nobody", Unproven, "the host's either", Promise{From: TheHost, To: Gateway, Addr: netip.MustParseAddr("192.0.2.9"), Proto: ICMP, Reach: true}},
			{"a server's address is not there", Broken, "does not have the address", self(netip.MustParseAddr("192.0.2.9"), 81, TCP)},
			{"a namespace is not there", Broken, "the namespace of web is not there", self(loopback, 81, TCP).from("web", true)},
			{"a namespace is not there, closed", Unproven, "the namespace of web is not there", self(loopback, 81, TCP).from("web", false)},
		} {
			// The server of the wrong one has to be there, too.
			list := []Promise{c.p, self(loopback, 81, TCP)}
			got, err := Run(context.Background(), list, Options{Timeout: 2 * time.Second, Silence: 300 * time.Millisecond})
			if err != nil || got[0].State != c.state || !strings.Contains(got[0].Why, c.why) {
				t.Errorf("%s: %s, %s %q (%v); wanted: %s %q", c.name, got[0].State, got[0].Errno, got[0].Why, err, c.state, c.why)
			}
		}
	})
}

// strangers serve TCP and UDP port 80, and answer nothing.
func strangers(t *testing.T) {
	t.Helper()
	in, err := net.Listen("tcp", "127.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	silent, err := net.ListenPacket("udp", "127.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); silent.Close() })
}

// self is a promise that the host reaches itself.
func self(addr netip.Addr, port uint16, proto string) Promise {
	return Promise{From: TheHost, To: TheHost, Addr: addr, Port: port, Proto: proto, Reach: true,
		Servers: []Server{{TheHost, addr, port, proto}}}
}

// either is a promise that is kept by who serves its port at any of the addresses.
func either(p Promise, addrs ...netip.Addr) Promise {
	p.Servers = nil
	for _, a := range addrs {
		p.Servers = append(p.Servers, Server{TheHost, a, p.Port, p.Proto})
	}
	return p
}

func seen(p Promise, as string) Promise {
	p.Sees = netip.MustParseAddr(as)
	return p
}

// A run that is interrupted ends at once.
func TestRunInterrupted(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		hosttest.Sh(t, "ip link set lo up")
		strangers(t)
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		start := time.Now()
		p := self(netip.MustParseAddr("127.0.0.1"), 80, UDP)
		if _, err := Run(ctx, []Promise{p}, Options{Timeout: time.Minute, Silence: time.Minute}); err == nil {
			t.Error("it is not said that the run was interrupted")
		}
		if time.Since(start) > 20*time.Second {
			t.Error("it went on")
		}
	})
}
