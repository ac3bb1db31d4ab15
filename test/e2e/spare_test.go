package e2e

import (
	"net"
	"testing"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/netns"
)

// TestNamesBesidePublished has a container publish the port that names are asked
// at: who calls the host is led to it, who asks a gateway is not.
func TestNamesBesidePublished(t *testing.T) {
	t.Parallel()
	for _, backend := range []string{viaIptables, viaNftables} {
		backend := backend
		t.Run(backend, func(t *testing.T) {
			hosttest.Run(t, func(t *testing.T) {
				useBackend(t, backend)
				hosttest.Sh(t, "ip link set lo up")
				must(t, "network", "create", "lab")
				must(t, "create", "bind", "client", "--network", "lab")
				must(t, "publish", "bind", "53:53/udp", "53:53")
				var own *net.UDPConn
				err := netns.Do(path("bind"), func() (err error) {
					own, err = net.ListenUDP("udp", &net.UDPAddr{Port: 53})
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				defer own.Close()
				go func() {
					buf := make([]byte, 512)
					for {
						_, from, err := own.ReadFromUDPAddrPort(buf)
						if err != nil {
							return
						}
						_, _ = own.WriteToUDPAddrPort([]byte("bind's own"), from)
					}
				}()
				if out := must(t, "probe", "udp://127.0.0.1:53"); !saysAny(out, "bind's own") {
					t.Errorf("the host's port 53 answers\n%s", out)
				}
				must(t, "resolve", "client")
				must(t, "resolve", "--from", "client", "bind")
				must(t, "check")
				if _, stderr, code := cnet(t, "publish", "client", "10.77.0.1:53:53/udp"); code != 4 {
					t.Errorf("a port at the gateway's own address: exit code %d, %s", code, stderr)
				}
				must(t, "unpublish", "bind")
				if _, stderr, code := cnet(t, "publish", "client", "10.77.0.1:53:53/udp"); code != 4 || !saysAny(stderr, "listens there") {
					t.Errorf("a port at the gateway's own address: exit code %d, %s", code, stderr)
				}
				must(t, "reset")
			})
		})
	}
}
