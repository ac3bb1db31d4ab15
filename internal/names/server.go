package names

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// Server answers at any number of sockets. Its methods may be called at any time.
type Server struct {
	zone    atomic.Pointer[Zone]
	forward forwarder
	mu      sync.Mutex
	serial  uint32
	open    map[netip.AddrPort]*endpoint
}

// NewServer returns a server that knows no names and has no sockets. resolvers is
// the file that says whom to ask for the names of others (resolv.conf(5)).
func NewServer(resolvers string) *Server {
	s := &Server{forward: forwarder{file: resolvers}, open: make(map[netip.AddrPort]*endpoint)}
	s.zone.Store(Compile(Book{}, 0))
	return s
}

// Set has all answers that begin from now on be those of the book.
func (s *Server) Set(b Book) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	s.zone.Store(Compile(b, s.serial))
}

// Know is [Server.Set] for a server in a process of its own, which is told the
// book as JSON. It has no wishes.
func (s *Server) Know(book json.RawMessage, _ func(any) error) error {
	var b Book
	if err := json.Unmarshal(book, &b); err != nil {
		return fmt.Errorf("read the book of names: %w", err)
	}
	s.Set(b)
	return nil
}

// endpoint is a gateway's sockets.
type endpoint struct {
	udp *net.UDPConn
	tcp *dns.Server
}

// Listen is [Server.Serve] for a server in a process of its own, which is given the
// sockets as files.
func (s *Server) Listen(at netip.AddrPort, sockets []*os.File) error {
	if len(sockets) != 2 {
		return fmt.Errorf("listen at %s: two sockets belong together", at)
	}
	packets, err := net.FilePacketConn(sockets[0])
	if err != nil {
		return fmt.Errorf("listen at %s: %w", at, err)
	}
	tcp, err := net.FileListener(sockets[1])
	if err != nil {
		return errors.Join(fmt.Errorf("listen at %s: %w", at, err), packets.Close())
	}
	udp, ok := packets.(*net.UDPConn)
	if !ok {
		return fmt.Errorf("listen at %s: the first socket is not of UDP", at)
	}
	return s.Serve(udp, tcp)
}

// Serve answers at two sockets of one address, which become the server's, until
// Close. An address that it answers at already is an error.
func (s *Server) Serve(udp *net.UDPConn, tcp net.Listener) error {
	at := udp.LocalAddr().(*net.UDPAddr).AddrPort()
	e := &endpoint{udp, s.tcp(tcp)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[at] != nil {
		return errors.New("the server listens at " + at.String() + " already")
	}
	s.open[at] = e
	go s.serveUDP(udp, at.Addr().Unmap())
	go func() { _ = e.tcp.ActivateAndServe() }() // ends when it is shut down
	return nil
}

// Close stops answering at an address.
func (s *Server) Close(at netip.AddrPort) error {
	s.mu.Lock()
	e := s.open[at]
	delete(s.open, at)
	s.mu.Unlock()
	if e == nil {
		return nil
	}
	return errors.Join(e.udp.Close(), e.tcp.Listener.Close())
}

// At are the addresses at which the server answers.
func (s *Server) At() (list []netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at := range s.open {
		list = append(list, at)
	}
	return list
}

// maxQuery is the longest datagram that is read whole, in bytes.
const maxQuery = 4096

// serveUDP answers datagrams one after the other, until the socket is closed.
// What has to be asked upstream is waited for elsewhere.
func (s *Server) serveUDP(conn *net.UDPConn, gateway netip.Addr) {
	in, out := make([]byte, maxQuery), make([]byte, 0, payload)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(in)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			continue // what a client's host said of an earlier reply
		}
		z := s.zone.Load()
		a := asker{gateway, from.Addr().Unmap()}
		if reply, ok := z.quick(z.views[a], in[:n], out[:0]); ok {
			_, _ = conn.WriteToUDPAddrPort(reply, from)
			continue
		}
		s.slowly(z, a, in[:n], func(m *dns.Msg) {
			if packet, err := m.Pack(); err == nil {
				_, _ = conn.WriteToUDPAddrPort(packet, from)
			}
		})
	}
}

// slowly answers any datagram, or has it answered later. A reply to a datagram
// that is none to a query could go on forever between two servers.
func (s *Server) slowly(z *Zone, a asker, packet []byte, send func(*dns.Msg)) {
	q := new(dns.Msg)
	if err := q.Unpack(packet); err != nil {
		if len(packet) >= headerLen && packet[2]&0x80 == 0 {
			send(new(dns.Msg).SetRcodeFormatError(&dns.Msg{MsgHdr: q.MsgHdr}))
		}
		return
	}
	if q.Response {
		return
	}
	size := dns.MinMsgSize
	if opt := q.IsEdns0(); opt != nil {
		size = limit(opt.UDPSize())
	}
	fit := func(m *dns.Msg) {
		m.Truncate(size)
		send(m)
	}
	v := z.of(a)
	if reply := z.answer(v, q); reply != nil {
		fit(reply)
		return
	}
	s.forward.start(z, a, v, q, "udp", fit)
}

// tcp is a server for the queries that come over connections.
func (s *Server) tcp(l net.Listener) *dns.Server {
	return &dns.Server{
		Listener:      &fewer{Listener: l, server: s, open: make(map[netip.Addr]int)},
		ReadTimeout:   2 * time.Second,
		WriteTimeout:  2 * time.Second,
		IdleTimeout:   func() time.Duration { return 5 * time.Second },
		MaxTCPQueries: 1000,
		Handler:       dns.HandlerFunc(s.serveTCP),
	}
}

func (s *Server) serveTCP(w dns.ResponseWriter, q *dns.Msg) {
	z := s.zone.Load()
	a := asker{addrOf(w.LocalAddr()), addrOf(w.RemoteAddr())}
	v := z.of(a)
	if reply := z.answer(v, q); reply != nil {
		_ = w.WriteMsg(reply)
		return
	}
	done := make(chan *dns.Msg, 1)
	s.forward.start(z, a, v, q, "tcp", func(m *dns.Msg) { done <- m })
	_ = w.WriteMsg(<-done)
}

func addrOf(a net.Addr) netip.Addr {
	p, _ := netip.ParseAddrPort(a.String())
	return p.Addr().Unmap().WithZone("")
}
