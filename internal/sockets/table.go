package sockets

import (
	"bufio"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// table reads the sockets from /proc/net, which walks all connections: some
// milliseconds, however few there are.
func table(proto string, ipv6 bool) ([]Socket, error) {
	path := "/proc/thread-self/net/" + proto
	if ipv6 {
		path += "6"
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // the family is not there
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return read(f, proto)
}

// read reads a table of sockets as /proc/net/tcp has it.
func read(table io.Reader, proto string) (list []Socket, err error) {
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		w := strings.Fields(lines.Text())
		if len(w) < 10 {
			continue
		}
		addr, ok := parse(w[1])
		state, err := strconv.ParseUint(w[3], 16, 8)
		inode, err2 := strconv.ParseUint(w[9], 10, 32)
		if ok && err == nil && err2 == nil && uint8(state) == waiting[proto] {
			list = append(list, Socket{addr, uint32(inode)})
		}
	}
	return list, lines.Err()
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
