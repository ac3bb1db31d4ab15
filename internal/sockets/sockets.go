// Package sockets tells who listens at a port of this host, as /proc/net tells
// it (proc_pid_net(5)).
package sockets

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Holder names the process that has a socket at one of the ports first to last
// of an address (the zero Addr is any), in the words of a message. It is empty
// when there is none. A TCP socket counts when it listens, a UDP one when it
// has no peer.
func Holder(proto string, ip netip.Addr, first, last uint16) (string, error) {
	for _, file := range []string{proto, proto + "6"} {
		found, err := scan("/proc/thread-self/net/"+file, proto, ip, first, last)
		if err != nil || found != nil {
			return describe(found), err
		}
	}
	return "", nil
}

type socket struct {
	addr  netip.AddrPort
	inode string
}

// The states of a TCP listener and of an unconnected UDP socket in /proc/net.
var waiting = map[string]string{"tcp": "0A", "udp": "07"}

func scan(path, proto string, ip netip.Addr, first, last uint16) (*socket, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // the family or the protocol is not there
	}
	if err != nil {
		return nil, fmt.Errorf("look for listeners: %w", err)
	}
	defer f.Close()
	return find(f, proto, ip, first, last), nil
}

// find reads a table of sockets.
func find(table io.Reader, proto string, ip netip.Addr, first, last uint16) *socket {
	for lines := bufio.NewScanner(table); lines.Scan(); {
		w := strings.Fields(lines.Text())
		if len(w) < 10 || w[3] != waiting[proto] {
			continue
		}
		addr, ok := parse(w[1])
		if ok && addr.Port() >= first && addr.Port() <= last && meets(ip, addr.Addr()) {
			return &socket{addr, w[9]}
		}
	}
	return nil
}

// meets reports whether a rule for address want (zero: any) would take packets
// that a socket bound to have now gets.
func meets(want, have netip.Addr) bool {
	have = have.Unmap()
	switch {
	case !want.IsValid(), have.IsUnspecified() && (have.Is6() || want.Is4()):
		return true
	case want.IsUnspecified():
		return want.Is4() == have.Is4()
	}
	return want == have
}

// parse reads ADDRESS:PORT as the kernel prints it: hexadecimal, the address in
// words of 32 bits in the host's order (little endian on what cnet runs on).
func parse(s string) (netip.AddrPort, bool) {
	a, p, _ := strings.Cut(s, ":")
	raw, err := hex.DecodeString(a)
	port, err2 := strconv.ParseUint(p, 16, 16)
	if err != nil || err2 != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		raw[i], raw[i+1], raw[i+2], raw[i+3] = raw[i+3], raw[i+2], raw[i+1], raw[i]
	}
	addr, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr, uint16(port)), ok
}

// describe names a socket's process: "nginx (pid 812)".
func describe(s *socket) string {
	if s == nil {
		return ""
	}
	fds, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err == nil {
		for _, fd := range fds {
			if to, err := os.Readlink(fd); err == nil && to == "socket:["+s.inode+"]" {
				pid := strings.Split(fd, "/")[2]
				comm, _ := os.ReadFile("/proc/" + pid + "/comm")
				return fmt.Sprintf("%s (pid %s)", strings.TrimSpace(string(comm)), pid)
			}
		}
	}
	return "a process on " + s.addr.String()
}

// Listening returns where processes listen for TCP in the calling thread's
// network namespace.
func Listening() ([]netip.AddrPort, error) {
	var list []netip.AddrPort
	for _, file := range []string{"tcp", "tcp6"} {
		data, err := os.ReadFile("/proc/thread-self/net/" + file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look for listeners: %w", err)
		}
		for _, line := range strings.Split(string(data), "\n") {
			if w := strings.Fields(line); len(w) > 3 && w[3] == waiting["tcp"] {
				if addr, ok := parse(w[1]); ok {
					list = append(list, addr)
				}
			}
		}
	}
	return list, nil
}
