// Package sockets tells who listens at a port of this host, as the kernel tells
// it (sock_diag(7)) or, where it was built without that, /proc/net
// (proc_pid_net(5)).
package sockets

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// ContainerVariable is the variable that tells a program in which container cnet
// runs it.
const ContainerVariable = "CNET_CONTAINER"

// Socket is one that waits for whoever may call: a TCP socket that listens, a
// UDP one without a peer.
type Socket struct {
	netip.AddrPort
	inode uint32
}

// waiting are the states of such sockets (include/net/tcp_states.h).
var waiting = map[string]uint8{"tcp": 10, "udp": 7}

// Waiting returns the sockets that wait in the calling thread's network
// namespace, in the order of their ports. Of a protocol other than tcp and udp
// none is known.
func Waiting(proto string) ([]Socket, error) {
	if waiting[proto] == 0 {
		return nil, nil
	}
	var all []Socket
	for _, ipv6 := range []bool{false, true} {
		list, err := dump(proto, ipv6)
		if errors.Is(err, syscall.ENOENT) {
			list, err = table(proto, ipv6)
		}
		if err != nil {
			return nil, fmt.Errorf("look for listeners: %w", err)
		}
		all = append(all, list...)
	}
	slices.SortStableFunc(all, byPort)
	return all, nil
}

func byPort(a, b Socket) int { return int(a.Port()) - int(b.Port()) }

// At returns the first of a list of Waiting that would lose packets to a rule
// for the ports first to last of an address (the zero Addr is any), or nil.
func At(list []Socket, ip netip.Addr, first, last uint16) *Socket {
	i, _ := slices.BinarySearchFunc(list, int(first), func(s Socket, port int) int { return int(s.Port()) - port })
	for ; i < len(list) && list[i].Port() <= last; i++ {
		if meets(ip, list[i].Addr()) {
			return &list[i]
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

// Holder names the socket's process in the words of a message: "nginx (pid 812)",
// or "nginx of container web (pid 812)" if cnet started it.
func (s Socket) Holder() string {
	want := fmt.Sprintf("socket:[%d]", s.inode)
	fds, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err == nil {
		for _, fd := range fds {
			if to, err := os.Readlink(fd); err == nil && to == want {
				pid := strings.Split(fd, "/")[2]
				return fmt.Sprintf("%s%s (pid %s)", program(pid), container(pid), pid)
			}
		}
	}
	return "a process on " + s.String()
}

// program names what a process runs. Those that cnet keeps for itself were started
// by a path that says nothing, and have told what they are.
func program(pid string) string {
	argv, _ := os.ReadFile("/proc/" + pid + "/cmdline")
	if words := strings.Split(string(argv), "\x00"); len(words) > 2 && words[0] == "cnet" && words[1] == "keep" {
		return "cnet's own " + words[2]
	}
	comm, _ := os.ReadFile("/proc/" + pid + "/comm")
	return strings.TrimSpace(string(comm))
}

// container tells in which container cnet started a process, from the environment
// that it gave it: " of container web".
func container(pid string) string {
	environ, err := os.ReadFile("/proc/" + pid + "/environ")
	if err != nil {
		return ""
	}
	for _, v := range strings.Split(string(environ), "\x00") {
		if name, ok := strings.CutPrefix(v, ContainerVariable+"="); ok {
			return " of container " + name
		}
	}
	return ""
}
