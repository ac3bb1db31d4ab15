package sockets

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"syscall"
)

// What sock_diag(7) speaks. Numbers are in the host's order but for ports and
// addresses, which are as they go over the wire.
const (
	netlinkSockDiag = 4
	byFamily        = 20 // SOCK_DIAG_BY_FAMILY
)

// request is a netlink header and struct inet_diag_req_v2.
type request struct {
	Length        uint32
	Type, Flags   uint16
	Sequence, PID uint32
	Family, Proto uint8
	_             [2]uint8
	States        uint32 // a bit for each
	_             [48]uint8
}

// reply is the head of struct inet_diag_msg and its last field.
type reply struct {
	_       [4]uint8
	Port    [2]uint8
	_       [2]uint8
	Address [16]uint8
	_       [44]uint8
	Inode   uint32
}

// dump asks the kernel for the sockets of a protocol and a family that wait. It
// looks at no others, and so takes microseconds where /proc/net takes milliseconds.
// The error is ENOENT where the kernel has no such table.
func dump(proto string, ipv6 bool) (list []Socket, err error) {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, netlinkSockDiag)
	if err != nil {
		return nil, syscall.ENOENT
	}
	defer syscall.Close(fd)
	if err := syscall.Sendto(fd, ask(proto, ipv6), 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return nil, err
	}
	for buf := make([]byte, 1<<16); ; {
		n, _, err := syscall.Recvfrom(fd, buf, 0)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		messages, err := syscall.ParseNetlinkMessage(buf[:n])
		if err != nil {
			return nil, err
		}
		for _, m := range messages {
			switch m.Header.Type {
			case syscall.NLMSG_DONE:
				return list, nil
			case syscall.NLMSG_ERROR:
				return nil, syscall.Errno(-int32(binary.NativeEndian.Uint32(m.Data)))
			}
			if s, ok := socketOf(m.Data, ipv6); ok {
				list = append(list, s)
			}
		}
	}
}

func ask(proto string, ipv6 bool) []byte {
	r := request{
		Type: byFamily, Flags: syscall.NLM_F_REQUEST | syscall.NLM_F_DUMP, Family: syscall.AF_INET,
		Proto: map[string]uint8{"tcp": syscall.IPPROTO_TCP, "udp": syscall.IPPROTO_UDP}[proto], States: 1 << waiting[proto],
	}
	if ipv6 {
		r.Family = syscall.AF_INET6
	}
	r.Length = uint32(binary.Size(r))
	var b bytes.Buffer
	_ = binary.Write(&b, binary.NativeEndian, r) // into memory
	return b.Bytes()
}

func socketOf(data []byte, ipv6 bool) (Socket, bool) {
	var r reply
	if err := binary.Read(bytes.NewReader(data), binary.NativeEndian, &r); err != nil {
		return Socket{}, false
	}
	ip := netip.AddrFrom16(r.Address)
	if !ipv6 {
		ip = netip.AddrFrom4([4]byte(r.Address[:4]))
	}
	return Socket{netip.AddrPortFrom(ip, binary.BigEndian.Uint16(r.Port[:])), r.Inode}, true
}
