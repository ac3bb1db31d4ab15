package nat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// nftLink is a socket to nf_tables in the network namespace of the thread that
// opened it (netlink(7), linux/netfilter/nfnetlink.h). To close it after
// something was deleted takes some milliseconds: the kernel waits until no
// processor looks at what is gone.
type nftLink struct {
	fd  int
	seq uint32
	buf []byte
}

// nftMessage is one message of nf_tables: its kind (NFT_MSG_…), its flags and
// its attributes.
type nftMessage struct {
	kind, flags uint16
	body        attrs
}

const (
	nftTableName = "cnet"
	nftHeader    = unix.SizeofNlMsghdr + 4 // and that of nfnetlink
)

func openNft() (*nftLink, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("open nf_tables: %w", err)
	}
	l := &nftLink{fd: fd, buf: make([]byte, 1<<16)}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, errors.Join(fmt.Errorf("open nf_tables: %w", err), l.close())
	}
	// Errors need not carry what failed, and say where in it.
	for _, option := range []int{unix.NETLINK_CAP_ACK, unix.NETLINK_EXT_ACK} {
		_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, option, 1) // since Linux 4.12
	}
	return l, nil
}

func (l *nftLink) close() error { return unix.Close(l.fd) }

// room makes the socket take a batch of so many bytes at once, as far as the
// kernel lets it, and returns how many it takes.
func (l *nftLink) room(size int) int {
	const overhead = 1 << 10
	if unix.SetsockoptInt(l.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, size+overhead) != nil { // which doubles it
		_ = unix.SetsockoptInt(l.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, size+overhead)
	}
	n, err := unix.GetsockoptInt(l.fd, unix.SOL_SOCKET, unix.SO_SNDBUF)
	if err != nil {
		return overhead
	}
	return n - overhead
}

// nftFailure is what the kernel had against a batch: which of its messages it
// refused, -1 for all of it, and at which byte of that message, if it says.
type nftFailure struct {
	message int
	offset  int
	err     error
}

func (f *nftFailure) Error() string { return f.err.Error() }
func (f *nftFailure) Unwrap() error { return f.err }

// commit sends messages as one transaction: all of them, or none. The kernel
// has answered when the call that sends them returns.
func (l *nftLink) commit(messages []nftPacket) error {
	first := l.seq + 1
	raw := l.header(nil, unix.NFNL_MSG_BATCH_BEGIN, 0, unix.NFNL_SUBSYS_NFTABLES)
	for i, p := range messages {
		if i == len(messages)-1 {
			p.flags |= unix.NLM_F_ACK
		}
		raw = l.message(raw, p.nftMessage)
	}
	last := l.seq
	raw = l.header(raw, unix.NFNL_MSG_BATCH_END, 0, unix.NFNL_SUBSYS_NFTABLES)
	if err := unix.Sendto(l.fd, raw, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("send to nf_tables: %w", err)
	}
	answered := false
	for {
		n, _, err := unix.Recvfrom(l.fd, l.buf, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOBUFS) { // so much was refused
			continue
		}
		if errors.Is(err, unix.EAGAIN) && answered {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the answer of nf_tables: %w", err)
		}
		err = eachMessage(l.buf[:n], func(h unix.NlMsghdr, body []byte) error {
			if h.Type != unix.NLMSG_ERROR || h.Seq < first {
				return nil
			}
			answered = answered || h.Seq == last
			if errno := refusal(body); errno != nil {
				return &nftFailure{message: int(h.Seq-first) - 1, offset: badAttr(h, body), err: errno}
			}
			return nil
		})
		if err != nil {
			l.drain()
			return err
		}
	}
}

// drain forgets what else the kernel answered.
func (l *nftLink) drain() {
	for {
		if _, _, err := unix.Recvfrom(l.fd, l.buf, unix.MSG_DONTWAIT); errors.Is(err, unix.EAGAIN) {
			return
		}
	}
}

// errInterrupted is the error of a list that changed while it was read.
var errInterrupted = errors.New("the rules changed meanwhile")

// dump asks for a list and hands the attributes of each of its entries to fn.
func (l *nftLink) dump(m nftMessage, fn func(body []byte)) error {
	m.flags |= unix.NLM_F_DUMP
	if err := unix.Sendto(l.fd, l.message(nil, m), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("ask nf_tables: %w", err)
	}
	for done, interrupted := false, false; !done; {
		n, _, err := unix.Recvfrom(l.fd, l.buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("list nf_tables: %w", err)
		}
		err = eachMessage(l.buf[:n], func(h unix.NlMsghdr, body []byte) error {
			interrupted = interrupted || h.Flags&unix.NLM_F_DUMP_INTR != 0
			switch {
			case h.Seq != l.seq:
			case h.Type == unix.NLMSG_ERROR || h.Type == unix.NLMSG_DONE:
				done = true
				return refusal(body)
			default:
				fn(slices.Clone(body[min(4, len(body)):]))
			}
			return nil
		})
		if err == nil && done && interrupted {
			err = errInterrupted
		}
		if err != nil {
			return fmt.Errorf("list nf_tables: %w", err)
		}
	}
	return nil
}

func (l *nftLink) message(raw []byte, m nftMessage) []byte {
	at := len(raw)
	raw = l.header(raw, unix.NFNL_SUBSYS_NFTABLES<<8|m.kind, m.flags, 0)
	raw[at+unix.SizeofNlMsghdr] = unix.NFPROTO_INET
	raw = append(raw, m.body...)
	binary.NativeEndian.PutUint32(raw[at:], uint32(len(raw)-at))
	return raw
}

// header appends the headers of netlink and nfnetlink.
func (l *nftLink) header(raw []byte, kind, flags, resource uint16) []byte {
	l.seq++
	raw = binary.NativeEndian.AppendUint32(raw, nftHeader)
	raw = binary.NativeEndian.AppendUint16(raw, kind)
	raw = binary.NativeEndian.AppendUint16(raw, flags|unix.NLM_F_REQUEST)
	raw = binary.NativeEndian.AppendUint32(raw, l.seq)
	raw = append(raw, 0, 0, 0, 0, unix.AF_UNSPEC, unix.NFNETLINK_V0)
	return binary.BigEndian.AppendUint16(raw, resource)
}

// eachMessage hands the netlink messages in raw to fn, until it fails.
func eachMessage(raw []byte, fn func(h unix.NlMsghdr, body []byte) error) error {
	for len(raw) >= unix.SizeofNlMsghdr {
		h := unix.NlMsghdr{
			Len:   binary.NativeEndian.Uint32(raw),
			Type:  binary.NativeEndian.Uint16(raw[4:]),
			Flags: binary.NativeEndian.Uint16(raw[6:]),
			Seq:   binary.NativeEndian.Uint32(raw[8:]),
		}
		size := int(h.Len)
		if size < unix.SizeofNlMsghdr || size > len(raw) {
			return unix.EBADMSG
		}
		if err := fn(h, raw[unix.SizeofNlMsghdr:size]); err != nil {
			return err
		}
		raw = raw[min((size+3)&^3, len(raw)):]
	}
	return nil
}

// refusal is the error that a message of the kind NLMSG_ERROR or NLMSG_DONE holds.
func refusal(body []byte) error {
	if len(body) < 4 {
		return nil
	}
	if n := int32(binary.NativeEndian.Uint32(body)); n < 0 {
		return unix.Errno(-n)
	}
	return nil
}

// badAttr is where in the message that failed the kernel found the fault.
func badAttr(h unix.NlMsghdr, body []byte) int {
	const skip = 4 + unix.SizeofNlMsghdr // the error, and the header of what failed
	if h.Flags&unix.NLM_F_ACK_TLVS == 0 || h.Flags&unix.NLM_F_CAPPED == 0 || len(body) < skip {
		return 0
	}
	if a := attrAt(body[skip:], unix.NLMSGERR_ATTR_OFFS); len(a.value) == 4 {
		return int(binary.NativeEndian.Uint32(a.value))
	}
	return 0
}
