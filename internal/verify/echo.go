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

// ping is a kind of echo: RFC 792, RFC 4443.
type ping struct {
	network        string
	request, reply byte
}

func pingTo(to netip.Addr) ping {
	if to.Is6() {
		return ping{"ip6:ipv6-icmp", 128, 129}
	}
	return ping{"ip4:icmp", 8, 0}
}

// echo sends echo requests from the namespace at path until one is answered or
// ctx ends, and returns why none was.
func echo(ctx context.Context, path string, to netip.Addr) error {
	kind := pingTo(to)
	var conn *net.IPConn
	err := netns.Do(path, func() (err error) {
		conn, err = net.DialIP(kind.network, nil, &net.IPAddr{IP: to.AsSlice()})
		return err
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	const interval = 200 * time.Millisecond
	for seq := uint16(1); ctx.Err() == nil; seq++ {
		if _, err := conn.Write(kind.message(seq)); err != nil && seq == 1 {
			return err
		}
		end := time.Now().Add(interval)
		if last, ok := ctx.Deadline(); ok && last.Before(end) {
			end = last
		}
		if err := kind.await(conn, end); !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	return ctx.Err()
}

// await reads until a reply is there, or until the end.
func (p ping) await(conn *net.IPConn, end time.Time) error {
	_ = conn.SetReadDeadline(end)
	b := make([]byte, 128)
	for {
		n, _, err := conn.ReadFrom(b) // without the header of IPv4
		if err != nil || n >= 8 && b[0] == p.reply && binary.BigEndian.Uint16(b[4:]) == echoID {
			return err
		}
	}
}

// echoID marks the requests. Sockets are bound to one peer, so that what others
// ask of it at the same time does no harm: an answer is an answer.
const echoID = 0x6376

// message is an echo request.
func (p ping) message(seq uint16) []byte {
	b := []byte{p.request, 0, 0, 0, echoID >> 8, echoID & 0xff, 0, 0}
	binary.BigEndian.PutUint16(b[6:], seq)
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	binary.BigEndian.PutUint16(b[2:], ^uint16(sum&0xffff+sum>>16)) // IPv6: the kernel's own
	return b
}
