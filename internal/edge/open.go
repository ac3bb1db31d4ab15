package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/topology"
)

// Open opens the socket at an address; [::] is all addresses of both families.
func Open(ctx context.Context, at netip.AddrPort) ([]syscall.Conn, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", at.String())
	if err != nil {
		return nil, fmt.Errorf("listen for requests: %w", err)
	}
	return []syscall.Conn{l.(*net.TCPListener)}, nil
}

// CheckHere refuses addresses, as [topology.ParseListen] reads them, that the host of
// the calling thread does not have.
func CheckHere(list []string) error {
	for _, text := range list {
		at, err := topology.ParseListen(text)
		if err != nil {
			return err
		}
		l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(at.Addr(), 0)))
		if errors.Is(err, unix.EADDRNOTAVAIL) {
			return fail.New(fail.NotFound, "edge", "the host has no address %s", at.Addr()).Try("cnet edge start --listen :%d, for all that it has", at.Port())
		}
		if err == nil {
			l.Close()
		}
	}
	return nil
}

// CheckPairs refuses certificates and keys that cannot be read, or do not belong together.
func CheckPairs(list []topology.Certificate) error {
	for _, c := range list {
		cert, err := os.ReadFile(c.Cert)
		if err != nil {
			return fail.New(fail.Usage, "certificate "+c.Cert, "%w", err)
		}
		key, err := os.ReadFile(c.Key)
		if err != nil {
			return fail.New(fail.Usage, "key "+c.Key, "%w", err)
		}
		if _, err := tls.X509KeyPair(cert, key); err != nil {
			return fail.New(fail.Usage, "certificate "+c.Cert, "%w", err).Try("openssl x509 -in %s -noout -text", c.Cert)
		}
	}
	return nil
}
