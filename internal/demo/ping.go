package demo

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand"
	"net"
	"net/netip"
	"time"

	"github.com/cnetlab/cnet/pkg/netns"
	"golang.org/x/sys/unix"
)

// What a ping meets.
const (
	answered    = "it answers"
	silence     = "no answer"
	unreachable = "ENETUNREACH  Network is unreachable"
)

const (
	patience = 8 * time.Second        // for an answer that must come
	doubt    = 300 * time.Millisecond // for one that must not
	interval = 100 * time.Millisecond // between two requests
)

// pings is that `ping TO`, run in a namespace, meets what is wanted.
func pings(from, to, want string) look {
	return look{
		what: short(from) + " pings " + to,
		want: want,
		see: func(ctx context.Context, want string) (string, error) {
			wait := doubt
			if want == answered {
				wait = patience
			}
			ctx, cancel := context.WithTimeout(ctx, wait)
			defer cancel()
			return ping(ctx, from, netip.MustParseAddr(to))
		},
	}
}

// ping sends echo requests (RFC 792) until one is answered or ctx ends. A raw
// socket needs a privilege that root of a sandbox has: raw(7).
func ping(ctx context.Context, path string, to netip.Addr) (string, error) {
	var conn *net.IPConn
	err := netns.Do(path, func() (err error) {
		conn, err = net.DialIP("ip4:icmp", nil, &net.IPAddr{IP: to.AsSlice()})
		return err
	})
	if errors.Is(err, unix.ENETUNREACH) {
		return unreachable, nil
	}
	if err != nil {
		return "", err
	}
	defer conn.Close()
	id := uint16(rand.Intn(1 << 16))
	for seq := uint16(1); ctx.Err() == nil; seq++ {
		switch _, err := conn.Write(echoRequest(id, seq)); {
		case errors.Is(err, unix.ENETUNREACH):
			return unreachable, nil
		case err != nil && !errors.Is(err, unix.EHOSTUNREACH): // the error of an earlier request
			return "", err
		}
		if echoed(conn, id, time.Now().Add(interval)) {
			return answered, nil
		}
	}
	return silence, nil
}

// echoed waits for a reply to any of the requests with this id.
func echoed(conn *net.IPConn, id uint16, until time.Time) bool {
	_ = conn.SetReadDeadline(until)
	b := make([]byte, 128)
	for time.Now().Before(until) {
		n, _, err := conn.ReadFrom(b)
		const reply = 0
		if err == nil && n >= 8 && b[0] == reply && binary.BigEndian.Uint16(b[4:]) == id {
			return true
		}
	}
	return false
}

func echoRequest(id, seq uint16) []byte {
	const request = 8
	b := []byte{request, 0, 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint16(b[4:], id)
	binary.BigEndian.PutUint16(b[6:], seq)
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	binary.BigEndian.PutUint16(b[2:], ^uint16(sum+sum>>16))
	return b
}
