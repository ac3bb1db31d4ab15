package e2e

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/netns"
)

// When a command returns, the cable carries: the very first packet arrives. It
// would be sent again only after a second.
func TestFirstPacketArrives(t *testing.T) {
	t.Parallel()
	var u unix.Utsname
	var major, minor int
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(string(u.Release[:]), "%d.%d", &major, &minor); err != nil {
		t.Fatal(err)
	}
	if major < 6 || major == 6 && minor < 9 {
		t.Skip("a kernel before 6.9 cannot be asked to wait for a carrier")
	}
	hosttest.Run(t, func(t *testing.T) {
		must(t, "network", "create", "lab")
		must(t, "network", "create", "cables", "--driver", "ptp")
		for i := 0; i < 20; i++ {
			for network, gateway := range map[string]string{"lab": "10.77.0.1", "cables": "10.77.1.1"} {
				must(t, "create", "web", "--network", network)
				err := netns.Do("/run/netns/web", func() error {
					_, err := net.DialTimeout("tcp", gateway+":9", 900*time.Millisecond)
					return err
				})
				if !errors.Is(err, syscall.ECONNREFUSED) {
					t.Errorf("%s, container %d: %v, want %v", network, i, err, syscall.ECONNREFUSED)
				}
				must(t, "delete", "web")
			}
		}
	})
}
