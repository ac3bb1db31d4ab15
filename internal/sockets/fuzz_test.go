package sockets

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const listing = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 81234 1 0000000000000000 100 0 0 10 0
   1: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5 1
`

// FuzzFind looks for listeners in whatever /proc/net may say: what it finds is
// in the table, waits, and is at the port.
func FuzzFind(f *testing.F) {
	f.Add(listing, uint16(8080), uint16(8080))
	f.Add(strings.ReplaceAll(listing, "0A", "07"), uint16(80), uint16(8081))
	f.Add("0: 00:00 0: 0A 1 1 1 1 1 1\n", uint16(0), uint16(9))
	f.Fuzz(func(t *testing.T, text string, first, last uint16) {
		for proto := range waiting {
			list, err := read(strings.NewReader(text), proto)
			if err != nil {
				continue
			}
			slices.SortStableFunc(list, byPort)
			for _, ip := range []netip.Addr{{}, netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1"), netip.IPv6Unspecified()} {
				s := At(list, ip, first, last)
				if s != nil && (!s.IsValid() || s.Port() < first || s.Port() > last || !strings.Contains(text, strconv.Itoa(int(s.inode)))) {
					t.Errorf("%s: %v is at none of the ports %d to %d", proto, s, first, last)
				}
			}
		}
	})
}

func TestAt(t *testing.T) {
	list, err := read(strings.NewReader(listing), "tcp")
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(list, byPort)
	for _, c := range []struct {
		ip          string
		first, last uint16
		want        string
	}{
		{"127.0.0.1", 8000, 9000, "127.0.0.1:8080"},
		{"127.0.0.1", 8080, 8080, "127.0.0.1:8080"},
		{"127.0.0.1", 1, 65535, "127.0.0.1:8080"},
		{"127.0.0.2", 8000, 9000, ""},
		{"::1", 80, 80, "[::1]:80"},
		{"127.0.0.1", 80, 80, ""},
		{"127.0.0.1", 8081, 8081, ""},
	} {
		got := ""
		if s := At(list, netip.MustParseAddr(c.ip), c.first, c.last); s != nil {
			got = s.String()
		}
		if got != c.want {
			t.Errorf("%s %d-%d: %q, want %q", c.ip, c.first, c.last, got, c.want)
		}
	}
}
