package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/hosttest"
)

// travellers are connections that stay open while the host moves: from, and to.
var travellers = map[string]string{
	"published":       "outside 203.0.113.2:8080",
	"published, IPv6": "outside [2001:db8::2]:8080",
	"published, ptp":  "outside 203.0.113.2:8087",
	"host":            "host 203.0.113.2:8080",
	"127.0.0.1":       "host 127.0.0.1:8080",
	"sibling":         "db 203.0.113.2:8080",
	"itself":          "web 203.0.113.2:8080",
	"another network": "p 203.0.113.2:8080",
	"out":             "db 203.0.113.1:80",
	"out, IPv6":       "db [2001:db8::1]:80",
}

// travelling is what cnet has made before.
const travelling = `
network create lab --ipv6
create web db --network lab
publish web 8080:80 8080:80/udp
network create cables --driver ptp
create p --network cables --publish 8087:80
`

// TestMove moves a host from one firewall backend to the other and back, whole,
// damaged and without a ledger, while connections are open from everywhere. None
// of them may end, and no packet to a published port may come to the host itself.
func TestMove(t *testing.T) {
	t.Parallel()
	for _, make := range []string{viaIptables, viaLegacy} {
		make := make
		t.Run(make, func(t *testing.T) {
			t.Parallel()
			hosttest.Run(t, func(t *testing.T) {
				useBackend(t, make)
				lan(t)
				hosttest.Sh(t, primeScript)
				before := hosttest.Rules(t)
				for _, line := range strings.Split(strings.TrimSpace(travelling), "\n") {
					must(t, strings.Fields(line)...)
				}
				move(t)
				must(t, "reset")
				alike(t, "after the moves and a reset", before, hosttest.Rules(t))
			})
		})
	}
}

// watch counts what comes to the host itself though it is for a published port.
const watch = `
nft add table inet watch
nft add chain inet watch input '{ type filter hook input priority 300; }'
nft add rule inet watch input meta l4proto '{ tcp, udp }' th dport '{ 8080, 8087 }' counter
`

func move(t *testing.T) {
	hosttest.Sh(t, watch)
	for _, ns := range []string{"web", "p", "outside"} {
		listenEcho(t, ns)
	}
	listenUDP(t, "web")
	streams := make(map[string]*stream)
	for name, way := range travellers {
		from, to, _ := strings.Cut(way, " ")
		if from == "host" {
			from = ""
		}
		streams[name] = openStream(t, name, from, to)
	}
	flow := openFlow(t, "outside", "203.0.113.2:8080", "web")
	hosttest.Sh(t, mark)
	remembered := marked(t)
	rounds := 2
	if long() {
		rounds = 50
	}
	for i := 0; i < rounds; i++ {
		for _, harm := range []string{"", "rm -r /run/cnet", damage} {
			for _, backend := range []string{"nftables", "iptables"} {
				if harm != damage || backend == "nftables" { // it speaks of iptables
					hosttest.Sh(t, harm)
				}
				must(t, "repair", "--firewall", backend)
				what := fmt.Sprintf("moved to %s, after %q", backend, harm)
				keptWith(t, what, backend)
				for name, s := range streams {
					if err := s.goesOn(); err != nil {
						t.Fatalf("%s: the connection %q: %v", what, name, err)
					}
				}
				if err := flow.goesOn(); err != nil {
					t.Fatalf("%s: the flow of UDP: %v", what, err)
				}
				if got := marked(t); got != remembered {
					t.Fatalf("%s: of %d connections the kernel remembers %d", what, remembered, got)
				}
				if out := hosttest.Host(t, "nft", "list", "chain", "inet", "watch", "input"); !strings.Contains(out, "counter packets 0 ") {
					t.Fatalf("%s: packets to a published port came to the host:\n%s", what, out)
				}
			}
		}
	}
	hosttest.Sh(t, "nft delete table inet watch")
}

// mark has the kernel know the connections again that it knows now.
const mark = `
for family in ipv4 ipv6; do
	for proto in tcp udp; do conntrack -U -f $family -p $proto --mark 7 2>/dev/null || true; done
done
`

// marked counts them.
func marked(t *testing.T) (n int) {
	t.Helper()
	for _, family := range []string{"ipv4", "ipv6"} {
		n += strings.Count(hosttest.Host(t, "conntrack", "-L", "-f", family, "--mark", "7"), "mark=7")
	}
	if n < len(travellers) {
		t.Fatalf("the kernel remembers %d connections, of %d and a flow", n, len(travellers))
	}
	return n
}

// damage is what the streams above do not notice.
const damage = `
ip -n db route del default
ip -n db -6 route del default
ip -n db route add 203.0.113.0/24 via 10.77.0.1
ip -n db -6 route add 2001:db8::/64 via fd77:77:77::1
rm -r /etc/netns/web
iptables -D CNET-ALLOW -i cnet-lab -m comment --comment 'cnet lab' -j ACCEPT
iptables -t nat -F CNET-PUBLISH
`

// keptWith looks whether all is in order, and kept with that backend alone.
func keptWith(t *testing.T, what, backend string) {
	t.Helper()
	hosttest.Sh(t, "ip -n db route del 203.0.113.0/24 2>/dev/null || true; ip -n db -6 route del 2001:db8::/64 2>/dev/null || true")
	must(t, "check")
	if out := must(t, "network", "inspect", "lab", "cables"); strings.Count(out, `firewall`) != 2 || strings.Count(out, backend) < 2 {
		t.Errorf("%s: inspect says\n%s", what, out)
	}
	rules, table := hosttest.Host(t, "iptables-save")+hosttest.Host(t, "ip6tables-save"), hosttest.Host(t, "nft", "list", "tables")
	if ours := strings.Contains(rules, "CNET-"); ours != (backend == "iptables") {
		t.Errorf("%s: iptables has\n%s", what, rules)
	}
	if ours := strings.Contains(table, "table inet cnet\n"); ours != (backend == "nftables") {
		t.Errorf("%s: nft has\n%s", what, table)
	}
}

// flow is a flow of UDP that goes on.
type flow struct {
	seen atomic.Uint64
	end  chan error
}

// openFlow sends from the namespace ns to an address, where name must answer,
// until the test ends.
func openFlow(t *testing.T, ns, to, name string) *flow {
	t.Helper()
	f := &flow{end: make(chan error, 1)}
	c := dialUDP(t, ns, to)
	go func() { f.end <- f.run(c.Conn, name) }()
	return f
}

// run asks and hears. An answer may come late, but none is lost for good, and
// nobody refuses.
func (f *flow) run(c net.Conn, name string) error {
	answer, missed := make([]byte, 1024), 0
	for {
		if _, err := c.Write([]byte("hello\n")); err != nil {
			return err
		}
		if err := c.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			return err
		}
		n, err := c.Read(answer)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && missed < 2:
			missed++
			continue
		case err != nil:
			return err
		case len(strings.Fields(string(answer[:n]))) < 2, strings.Fields(string(answer[:n]))[1] != name:
			return fmt.Errorf("another answers: %s", answer[:n])
		}
		f.seen.Add(1)
		time.Sleep(5 * time.Millisecond) // as somebody who types
	}
}

func (f *flow) goesOn() error {
	before, deadline := f.seen.Load(), time.Now().Add(15*time.Second)
	for ; time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		select {
		case err := <-f.end:
			f.end <- err
			return err
		default:
		}
		if f.seen.Load() > before {
			return nil
		}
	}
	return fmt.Errorf("it stands still at %d", before)
}

// hideIptables has this host have no iptables.
const hideIptables = `
for p in /usr/sbin/xtables-nft-multi /usr/sbin/xtables-legacy-multi; do
	[ ! -e $p ] || mount --bind /dev/null $p
done`

// TestAuto picks a backend for new networks.
func TestAuto(t *testing.T) {
	t.Parallel()
	firewall := regexp.MustCompile(`"firewall": "(\w+)"`)
	made := func(t *testing.T, name string, more ...string) string {
		t.Helper()
		must(t, append([]string{"network", "create", name}, more...)...)
		m := firewall.FindStringSubmatch(must(t, "network", "inspect", name, "-o", "json"))
		if m == nil {
			t.Fatal("inspect does not say what keeps its rules")
		}
		return m[1]
	}
	want := func(t *testing.T, what, want, got string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: kept with %s, not %s", what, got, want)
		}
	}
	hosttest.Run(t, func(t *testing.T) {
		lan(t)
		want(t, "the first", "iptables", made(t, "a"))
		must(t, "reset")
		want(t, "the first, as asked", "nftables", made(t, "a", "--firewall", "nftables"))
		want(t, "one beside others", "nftables", made(t, "b"))
		want(t, "one beside others, auto", "nftables", made(t, "c", "--firewall", "auto"))
		want(t, "one beside others, as asked", "iptables", made(t, "d", "--firewall", "iptables"))
		want(t, "one beside several", "iptables", made(t, "e"))
		must(t, "repair", "--firewall", "iptables")
		want(t, "after the move", "iptables", made(t, "f"))

		hosttest.Sh(t, hideIptables)
		_, problem, code := cnet(t, "network", "create", "g")
		if code != 8 || !saysAny(problem, "cnet repair --firewall nftables") {
			t.Errorf("without iptables, beside networks that are kept with it: exit code %d\n%s", code, problem)
		}
		_, problem, code = cnet(t, "repair", "--firewall", "nftables")
		if code != 6 || !saysAny(problem, "apt-get install iptables") {
			t.Errorf("moved, though iptables cannot take its rules back: exit code %d\n%s", code, problem)
		}
		must(t, "check")
		want(t, "after the move", "nftables", made(t, "g"))
		must(t, "reset")
		want(t, "the first, without iptables", "nftables", made(t, "a"))
		must(t, "repair", "--firewall", "auto")
		must(t, "check")
		must(t, "reset")
	})
}
