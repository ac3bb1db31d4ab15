package verify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/pkg/netns"
)

// listener is a server of a run: one of verify's own, somebody else's who
// listens there already, or none.
type listener struct {
	close   func()
	foreign bool
	err     error
}

// listen opens what is not open yet. Sockets belong to the namespace that they
// were made in, whoever serves them.
func listen(ctx context.Context, list []Promise) map[Server]listener {
	open := make(map[Server]listener)
	for _, p := range list {
		for _, s := range p.Servers {
			if _, done := open[s]; !done && p.Proto != SCTP {
				open[s] = s.open(ctx)
			}
		}
	}
	return open
}

func (s Server) open(ctx context.Context) (l listener) {
	if l.err = missing(s.In); l.err != nil {
		return l
	}
	l.err = netns.Do(pathOf(s.In), func() (err error) {
		at := netip.AddrPortFrom(s.Addr, s.Port).String()
		var config net.ListenConfig
		if s.Proto == UDP {
			var conn net.PacketConn
			if conn, err = config.ListenPacket(ctx, UDP, at); err == nil {
				l.close = s.answer(conn)
			}
			return err
		}
		var in net.Listener
		if in, err = config.Listen(ctx, TCP, at); err == nil {
			l.close = s.serve(in)
		}
		return err
	})
	if errors.Is(l.err, unix.EADDRINUSE) {
		l.foreign, l.err = true, nil
	}
	if errors.Is(l.err, unix.EADDRNOTAVAIL) {
		l.err = fmt.Errorf("%s does not have the address %s", s.In, s.Addr)
	}
	return l
}

// serve answers over HTTP who answers, and whom.
func (s Server) serve(in net.Listener) (stop func()) {
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, s.says(r.RemoteAddr))
	})}
	server.SetKeepAlivesEnabled(false)
	var running sync.WaitGroup
	running.Add(1)
	go func() {
		defer running.Done()
		_ = server.Serve(in) // it ends with Close
	}()
	return func() { server.Close(); running.Wait() }
}

// answer does the same for datagrams. The socket is bound to one address, so
// that answers leave from the one that was asked.
func (s Server) answer(conn net.PacketConn) (stop func()) {
	var running sync.WaitGroup
	running.Add(1)
	go func() {
		defer running.Done()
		b := make([]byte, 64)
		for {
			_, from, err := conn.ReadFrom(b)
			switch {
			case errors.Is(err, net.ErrClosed):
				return
			case err == nil:
				_, _ = conn.WriteTo([]byte(s.says(from.String())), from)
			}
		}
	}()
	return func() { conn.Close(); running.Wait() }
}

// says is what a server answers: who it is, and who asks.
func (s Server) says(client string) string { return s.name() + "\n" + client }

func (s Server) name() string {
	return fmt.Sprintf("cnet verify %s %s/%s", s.In, netip.AddrPortFrom(s.Addr, s.Port), s.Proto)
}

// said is who answered, and the caller's address as the server saw it.
func said(body string) (name string, client netip.Addr) {
	name, from, _ := strings.Cut(body, "\n")
	at, _ := netip.ParseAddrPort(from)
	return name, at.Addr().Unmap()
}
