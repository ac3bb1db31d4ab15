package world

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/cnetlab/cnet/internal/serve"
	"github.com/cnetlab/cnet/pkg/netns"
)

// serveOutside starts the outside's servers. They log to a file, which they keep
// open as long as this process lives.
func serveOutside(ctx context.Context) error {
	log, err := os.OpenFile(Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	for _, udp := range []bool{false, true} {
		s := &serve.Server{Name: "outside", Addr: fmt.Sprintf(":%d", Port), UDP: udp, Log: log}
		if err := netns.Do(Outside, s.Listen); err != nil {
			return err
		}
		go func() { _ = s.Run(ctx) }()
	}
	return nil
}

// await calls the server until it answers: the kernel takes a moment to bring new
// links up, and what is sent before is lost.
func (w World) await(ctx context.Context) error {
	hosts := []netip.Addr{w.Outside}
	if hasIPv6() {
		hosts = append(hosts, w.Outside6)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for _, h := range hosts {
		to := netip.AddrPortFrom(h, Port)
		for err := call(to); err != nil; err = call(to) {
			if ctx.Err() != nil {
				return fmt.Errorf("the outside's server at %s does not answer: %w", to, err)
			}
		}
	}
	return nil
}

// call makes a connection and no request, of which the log would tell.
func call(to netip.AddrPort) error {
	conn, err := net.DialTimeout("tcp", to.String(), 50*time.Millisecond)
	if err != nil {
		return err
	}
	return conn.Close()
}

func hasIPv6() bool {
	_, err := os.Stat("/proc/sys/net/ipv6")
	return err == nil
}
