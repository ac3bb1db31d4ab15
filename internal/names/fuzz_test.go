package names

import (
	"net"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/miekg/dns"
)

// seeds are queries, whole and damaged.
func seeds(t testing.TB) (list [][]byte) {
	t.Helper()
	for _, name := range []string{".", "c2.", "c2.lab.cnet.", "twin.cnet.", "3.0.77.10.in-addr.arpa.", "x.ip6.arpa.", "example.org."} {
		for _, kind := range []string{"A", "AAAA", "ANY", "PTR", "SOA"} {
			q := query(name, kind)
			plain, err := q.Pack()
			if err != nil {
				t.Fatal(err)
			}
			q.SetEdns0(1232, true)
			edns, err := q.Pack()
			if err != nil {
				t.Fatal(err)
			}
			pointer := append(append([]byte(nil), plain[:headerLen]...), 0xc0, headerLen, 0, 1, 0, 1)
			list = append(list, plain, edns, plain[:len(plain)-3], edns[:len(edns)-3], pointer)
		}
	}
	return list
}

// FuzzQuery: whatever arrives, the server goes on, what it replies can be read
// and is to that query, and both ways to an answer agree.
func FuzzQuery(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	s := NewServer("/nonexistent")
	s.Set(Of(example(f)))
	z := s.zone.Load()
	f.Fuzz(func(t *testing.T, packet []byte) {
		for _, a := range []asker{fromC1, fromA1, fromHost, {}} {
			quick, ok := z.quick(who(z, a), packet, nil)
			if ok && !new(dns.Msg).SetReply(unpack(t, packet)).Response {
				t.Fatal("a quick reply to what cannot be read")
			}
			if ok {
				read(t, packet, quick)
			}
			s.slowly(z, a, packet, func(m *dns.Msg) {
				reply, err := m.Pack()
				if err != nil {
					t.Fatalf("%v cannot be sent: %v", m, err)
				}
				read(t, packet, reply)
				if len(reply) > max(dns.MinMsgSize, payload) {
					t.Fatalf("a reply of %d bytes", len(reply))
				}
			})
		}
	})
}

func unpack(t *testing.T, packet []byte) *dns.Msg {
	m := new(dns.Msg)
	if err := m.Unpack(packet); err != nil {
		t.Fatalf("%x cannot be read: %v", packet, err)
	}
	return m
}

func read(t *testing.T, packet, reply []byte) {
	m := unpack(t, reply)
	if !m.Response || m.Id != uint16(packet[0])<<8|uint16(packet[1]) || packet[2]&0x80 != 0 {
		t.Fatalf("%v is no reply to %x", m, packet)
	}
}

// What is damaged on its way in, or never was a query, ends nothing.
func TestMalformed(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		serving(t, book(0))
		udp, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(client)}, net.UDPAddrFromAddrPort(b53(gateway)))
		if err != nil {
			t.Fatal(err)
		}
		defer udp.Close()
		packets := seeds(t)
		for _, p := range packets {
			for i := range p {
				changed := append([]byte(nil), p...)
				changed[i] ^= 0xff
				packets = append(packets, changed)
			}
		}
		for _, p := range append(packets, nil, make([]byte, 3), make([]byte, 60000)) {
			if _, err := udp.Write(p); err != nil {
				t.Fatal(err)
			}
			if len(p)%7 == 0 {
				stream(t, p)
			}
		}
		// What found the queue full was dropped, and so may this be.
		c := dns.Client{Dialer: &net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(client)}}, Timeout: 100 * time.Millisecond}
		for end := time.Now().Add(patient); ; {
			reply, _, err := c.Exchange(query("web.cnet.", "A"), b53(gateway).String())
			if err == nil && words(reply) == client {
				break
			}
			if time.Now().After(end) {
				t.Fatal(reply, err)
			}
		}
		for _, by := range []string{"udp", "tcp"} {
			if got := words(mustAsk(t, client, by, query("web.cnet.", "A"))); got != client {
				t.Error(got)
			}
		}
	})
}

// stream sends bytes over a connection of their own, with a wrong length.
func stream(t *testing.T, p []byte) {
	t.Helper()
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(client)}}
	c, err := d.Dial("tcp", b53(gateway).String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = c.Write(append([]byte{0, byte(len(p))}, p...))
}
