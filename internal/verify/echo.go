package verify

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/cnetlab/cnet/pkg/netns"
)

// echo sends echo requests (RFC 792, RFC 4443) from the namespace at path until
// one is answered or ctx ends, and returns why none was.
func echo(ctx context.Context, path string, to netip.Addr) error {
	network, request, reply := "ip4:icmp", byte(8), byte(0)
	if to.Is6() {
		network, request, reply = "ip6:ipv6-icmp", 128, 129
	}
	var conn *net.IPConn
	err := netns.Do(path, func() (err error) {
		conn, err = net.DialIP(network, nil, &net.IPAddr{IP: to.AsSlice()})
		return err
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	const interval = 200 * time.Millisecond
	b := make([]byte, 128)
	for seq := uint16(1); ctx.Err() == nil; seq++ {
		if _, err := conn.Write(echoRequest(request, seq)); err != nil && seq == 1 {
			return err
		}
		next := time.Now().Add(interval)
		if end, ok := ctx.Deadline(); ok && end.Before(next) {
			next = end
		}
		_ = conn.SetReadDeadline(next)
		for {
			n, _, err := conn.ReadFrom(b) // without the header of IPv4
			if err == nil && n >= 8 && b[0] == reply && binary.BigEndian.Uint16(b[4:]) == echoID {
				return nil
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// echoID marks the requests. Sockets are bound to one peer, so that what others
// ask of it at the same time does no harm: an answer is an answer.
const echoID = 0x6376

func echoRequest(kind byte, seq uint16) []byte {
	b := []byte{kind, 0, 0, 0, echoID >> 8, echoID & 0xff, 0, 0}
	binary.BigEndian.PutUint16(b[6:], seq)
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	binary.BigEndian.PutUint16(b[2:], ^uint16(sum&0xffff+sum>>16)) // IPv6: the kernel's own
	return b
}
