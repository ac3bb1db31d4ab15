package edge

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

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
