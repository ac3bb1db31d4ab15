package e2e

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/google/go-cmp/cmp"
)

// verified are the commands that make what the tests of verify stand on: each
// sort of network, and each sort of published port.
const verified = `
network create open --ipv6 --subnet 10.77.1.0/24 --subnet6 fd77:1::/64
network create wire --ipv6 --subnet 10.77.2.0/24 --subnet6 fd77:2::/64 --driver ptp
network create shut --subnet 10.77.3.0/24 --icc=false
network create inner --subnet 10.77.4.0/24 --internal
create web --network open --ip 10.77.1.2
create db --network open
create far --network wire --ip 10.77.2.2
create wide --network wire
create mute --network shut
create quiet --network shut
create vault --network inner
create vaulted --network inner
publish web 8080:80 8080:80/udp 127.0.0.1:8081:81 9000-9009:7000-7009
publish far 8180:80
service create shop --network open --port 80:8088 --backend web --backend db --publish 8280:80
`

// theShop is the service, as promises name it.
const theShop = "service shop"

// A promised is a row of what cnet verify -o json tells.
type promised struct {
	From, To, Address, Proto, Published, State, Errno, Why string
	Port                                                   int
	Reach, Expected                                        bool
}

func (p promised) String() string {
	return fmt.Sprintf("%s to %s %s %s %d %s reach=%v: %s %s %s", p.From, p.To, p.Published, p.Address, p.Port, p.Proto, p.Reach, p.State, p.Errno, p.Why)
}

func (p promised) ipv4() bool { return netip.MustParseAddr(p.Address).Is4() }

// leaves: the caller is a container that may leave its network.
func (p promised) leaves() bool {
	return p.From != "the host" && p.From != "the outside" && !strings.HasPrefix(p.From, "vault")
}

// verify runs cnet verify and returns its rows and its exit code.
func verify(t *testing.T, args ...string) ([]promised, int) {
	t.Helper()
	stdout, stderr, code := cnet(t, append([]string{"verify", "-o", "json", "--timeout", "2s"}, args...)...)
	var v struct{ Promises []promised }
	if err := json.Unmarshal([]byte(stdout), &v); err != nil {
		t.Fatalf("exit code %d, %v\n%s%s", code, err, stdout, stderr)
	}
	return v.Promises, code
}

// A harm is something done to the host by hand, and the promises that break by
// it: these and no others.
type harm struct {
	name, by string
	mend     string // by hand; empty is cnet repair
	breaks   func(promised) bool
}

var harms = []harm{
	{
		name: "a rule is deleted",
		by:   `iptables-save -t nat | sed -n 's/^-A \(CNET-PUBLISH -p tcp .*--dport 8080 .*\)/iptables -t nat -D \1/p' | sh -e`,
		breaks: func(p promised) bool {
			return p.Published == "8080:80/tcp" && p.ipv4() && p.Reach
		},
	},
	{
		name: "a service's rule is deleted",
		by:   `iptables -t nat -F CNET-SERVICE`,
		breaks: func(p promised) bool {
			return p.To == theShop && p.Published == "" && p.ipv4() && p.Reach && p.From != "the host"
		},
	},
	{
		name: "the host does not forward",
		by:   `sysctl -qw net.ipv4.ip_forward=0`,
		breaks: func(p promised) bool {
			beyond := p.Published != "" || p.To == "the outside" || p.Address == "203.0.113.1"
			cables := (p.To == "far" || p.To == "wide") && p.From != "the outside"
			return p.ipv4() && p.Reach && p.From != "the host" && (beyond || cables || p.To == theShop)
		},
	},
	{
		name: "a foreign rule drops before cnet's jump",
		by:   `iptables -I FORWARD 1 -d 10.77.2.2 -p tcp --dport 80 -j DROP`,
		mend: `iptables -D FORWARD 1`,
		breaks: func(p promised) bool {
			sibling := p.From == "wide" && p.To == "far" && p.Port == 80
			return p.ipv4() && p.Reach && p.From != "the host" && (p.Published == "8180:80/tcp" || sibling)
		},
	},
	{
		name: "a foreign nft table drops what is forwarded",
		by:   `nft 'add table inet foreign; add chain inet foreign f { type filter hook forward priority 10; }; add rule inet foreign f udp dport 80 drop'`,
		mend: `nft delete table inet foreign`,
		breaks: func(p promised) bool {
			return p.Published == "8080:80/udp" && p.Reach && p.From != "the host"
		},
	},
	{
		name: "a foreign rule accepts before cnet's guard",
		by:   `iptables -I FORWARD 1 -d 10.77.1.2 -p tcp -j ACCEPT`,
		mend: `iptables -D FORWARD 1`,
		breaks: func(p promised) bool {
			return p.Address == "10.77.1.2" && p.Proto == "tcp" && !p.Reach && (p.leaves() || p.From == "the outside")
		},
	},
	{
		name: "a network is not masqueraded",
		by:   `iptables-save -t nat | sed -n 's/^-A \(CNET-POSTROUTING -s 10.77.2.0.24 ! -o .*\)/iptables -t nat -D \1/p' | sh -e`,
		breaks: func(p promised) bool {
			uplink := p.To == "the outside" || p.Address == "203.0.113.1"
			return (p.From == "far" || p.From == "wide") && uplink && p.ipv4()
		},
	},
	{
		name: "packets from 127.0.0.1 do not leave the host",
		by:   `sysctl -qw net.ipv4.conf.cnet-open.route_localnet=0`,
		breaks: func(p promised) bool {
			return p.From == "the host" && (p.To == "web" || p.To == theShop) && p.Address == "127.0.0.1"
		},
	},
	{
		name: "a namespace is deleted",
		by:   `ip netns del db`,
		breaks: func(p promised) bool {
			return (p.From == "db" || p.To == "db" || p.To == theShop) && p.Reach
		},
	},
}

// TestVerify: all promises are kept, and a run leaves no trace.
func TestVerify(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		labToVerify(t)
		before := hosttest.Snapshot(t)
		proto := make(map[string]int)
		rows, code := verify(t)
		for _, p := range rows {
			proto[p.Proto]++
			if p.State != "kept" {
				t.Error(p)
			}
		}
		if code != 0 || proto["tcp"] < 100 || proto["udp"] < 100 || proto["icmp"] == 0 {
			t.Errorf("exit code %d, promises: %v", code, proto)
		}
		sameHost(t, before)
	})
}

// TestVerifyHarmed: each harm is told by exactly what it breaks. They are done
// one after the other on a few hosts at a time.
func TestVerifyHarmed(t *testing.T) {
	t.Parallel()
	const hosts = 4
	for i := 0; i < hosts; i++ {
		i := i
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			hosttest.Run(t, func(t *testing.T) {
				labToVerify(t)
				for k := i; k < len(harms); k += hosts {
					harms[k].try(t)
				}
			})
		})
	}
}

func (h harm) try(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath(strings.Fields(h.by)[0]); err != nil {
		t.Logf("%s: not tried: %v", h.name, err)
		return
	}
	hosttest.Sh(t, h.by)
	rows, code := verify(t)
	h.compare(t, rows, code)
	if h.mend == "" {
		must(t, "repair")
		return
	}
	hosttest.Sh(t, h.mend)
}

// compare finds what a harm broke besides what it has to, or did not break.
func (h harm) compare(t *testing.T, rows []promised, code int) {
	t.Helper()
	broken := 0
	for _, p := range rows {
		if is := p.State == "broken"; is {
			broken++
			if !h.breaks(p) {
				t.Errorf("%s: broken, and should not be: %s", h.name, p)
			}
		} else if h.breaks(p) {
			t.Errorf("%s: not broken, and should be: %s", h.name, p)
		}
	}
	if code != 6 || broken == 0 {
		t.Errorf("%s: exit code %d, %d broken", h.name, code, broken)
	}
}

func labToVerify(t *testing.T) {
	t.Helper()
	lan(t)
	setting{0, "DROP"}.apply(t)
	for _, line := range strings.Split(strings.TrimSpace(verified), "\n") {
		must(t, strings.Fields(line)...)
	}
}

func sameHost(t *testing.T, before string) {
	t.Helper()
	if diff := cmp.Diff(strings.Split(before, "\n"), strings.Split(hosttest.Snapshot(t), "\n")); diff != "" {
		t.Errorf("the host is not as it was (- before, + now):\n%s", diff)
	}
	if _, err := os.Stat("/run/cnet/journal.json"); err == nil {
		t.Error("a journal is left")
	}
}

// TestVerifyEnded: a run that is interrupted takes everything back itself; one
// that is killed leaves it to the next command.
func TestVerifyEnded(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		lan(t)
		must(t, "network", "create", "lab")
		must(t, "create", "web", "--network", "lab", "--publish", "8080:80")
		before := hosttest.Snapshot(t)

		code, stderr := endVerify(t, syscall.SIGINT)
		if code != 1 || !strings.Contains(stderr, "interrupted") {
			t.Errorf("exit code %d: %s", code, stderr)
		}
		sameHost(t, before)

		for _, next := range []string{"repair", "verify"} {
			endVerify(t, syscall.SIGKILL)
			if !strings.Contains(hosttest.Snapshot(t), "cnet_outside") {
				t.Fatal("nothing was left behind; the next command has nothing to show")
			}
			must(t, next)
			sameHost(t, before)
		}

		endVerify(t, syscall.SIGKILL)
		hosttest.Sh(t, "rm -r /run/cnet") // the journal, too
		must(t, "reset")
		if now := hosttest.Snapshot(t); strings.Contains(now, "cnet") || strings.Contains(now, "verify") {
			t.Errorf("something of cnet's is left:\n%s", now)
		}
	})
}

// endVerify starts a run that takes long and ends it by a signal once the
// outside stands.
func endVerify(t *testing.T, with syscall.Signal) (code int, stderr string) {
	t.Helper()
	var problem strings.Builder
	cmd := command(t, "verify", "--silence", "30s")
	cmd.Stderr = &problem
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); !listens("198.18.0.2"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the run did not come so far")
		}
	}
	if err := cmd.Process.Signal(with); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode(), problem.String()
}

// listens reports whether the outside serves at an address.
func listens(addr string) bool {
	out, err := exec.Command("ip", "netns", "exec", "cnet_outside", "ss", "-Hltn", "src", addr).Output()
	return err == nil && len(out) > 0
}
