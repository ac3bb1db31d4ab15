package e2e

import (
	"fmt"
	"os"
	"testing"

	"github.com/cnetlab/cnet/internal/hosttest"
)

// powerCuts are commands during which the power fails.
var powerCuts = []crash{
	{name: "create", found: "cnet network create lab", typed: "create web --network lab --ip 10.77.0.9 --publish 8080:80"},
	{name: "create, all at once", typed: "create web --ip 10.77.0.9 --publish 8080:80"},
	{name: "delete", found: "cnet network create lab; cnet create web --network lab --publish 8080:80", typed: "delete web"},
	{name: "delete, the first of a pod", found: "cnet network create lab; cnet create web --network lab --publish 8080:80; cnet create side --share web", typed: "delete web"},
	{name: "network delete", found: "cnet network create lab; cnet network create more", typed: "network delete lab more --if-exists"},
	{name: "apply", typed: "apply -f testdata/static.yaml"},
	{name: "down", found: "cnet network create lab; cnet create web --network lab --publish 8080:80", typed: "down"},
}

// TestPowerCut has the power fail at points of commands: of each, some, or all if
// the test may take long. After the reboot `cnet up` makes what the files say,
// and the command can be given again. At every other point the run folder
// outlives the reboot, with the journal in it.
func TestPowerCut(t *testing.T) {
	for i, c := range powerCuts {
		for j, backend := range []string{viaIptables, viaNftables} {
			if !long() && i%2 != j {
				continue
			}
			c, backend := c, backend
			c.name = over(c.name, backend)
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				hosttest.Run(t, func(t *testing.T) { useBackend(t, backend); c.powerCut(t) })
			})
		}
	}
}

func (c crash) powerCut(t *testing.T) {
	x := &crashing{crash: c, t: t}
	hosttest.Sh(t, "ip link set lo up\ncat /proc/sys/kernel/random/boot_id > /run/boot_id\n"+
		"mount --bind /run/boot_id /proc/sys/kernel/random/boot_id")
	x.setUp()
	points := x.count()
	x.must("up")
	x.after = look(t)
	step := 5
	if long() {
		step = 1
	}
	for at := 1; at <= points; at += step {
		x.must("reset")
		x.setUp()
		x.cut("kill", at)
		reboot(t, at%2 == 0)
		what := fmt.Sprintf("the power failed at point %d", at)
		x.must("up")
		x.must("check")
		if stdout, stderr, code := x.cnet(x.typed); code != 0 && code != 3 && code != 4 {
			t.Fatalf("%s; again: exit code %d\n%s%s", what, code, stdout, stderr)
		}
		x.must("up")
		x.same(what, x.after, glance(t), nil)
	}
	x.must("reset")
	t.Logf("%d points, %d reboots", points, x.runs)
}

// reboot takes away what a reboot does: namespaces, links, rules, settings, and
// the run folder unless it is on a disk.
func reboot(t *testing.T, keepRun bool) {
	t.Helper()
	hosttest.Sh(t, `
		for ns in $(ls /run/netns 2>/dev/null); do umount /run/netns/$ns || true; rm /run/netns/$ns; done
		umount /run/netns 2>/dev/null || true
		rm -rf /run/netns
		for link in $(ip -o link | sed 's/^[0-9]*: \([^:@]*\).*/\1/' | grep -v '^lo$'); do
			ip link del dev $link 2>/dev/null || true
		done
		nft flush ruleset
		sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
		cat /proc/sys/kernel/random/uuid > /run/boot_id`)
	if keepRun {
		return
	}
	if err := os.RemoveAll("/run/cnet"); err != nil {
		t.Fatal(err)
	}
}
