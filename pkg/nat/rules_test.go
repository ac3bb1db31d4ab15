package nat_test

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
)

var (
	ip4 = nat.On{Backend: nat.Iptables}
	ip6 = nat.On{Backend: nat.Iptables, IPv6: true}
)

func TestMain(m *testing.M) { hosttest.Main(m) }

// variants are the two makes of iptables, by the program that is all of its commands.
var variants = map[string]string{"nft": "xtables-nft-multi", "legacy": "xtables-legacy-multi"}

// each runs fn over both makes of iptables, each in a sandbox of its own.
func each(t *testing.T, fn func(t *testing.T)) {
	for name, program := range variants {
		program := program
		t.Run(name, func(t *testing.T) {
			path, err := exec.LookPath("/usr/sbin/" + program)
			if err != nil {
				t.Skipf("this make of iptables is not installed: %v", err)
			}
			hosttest.Run(t, func(t *testing.T) {
				use(t, path)
				fn(t)
			})
		})
	}
}

// use puts one make of iptables first in PATH and has it make its empty tables,
// which it does once for all at the first change.
func use(t *testing.T, multi string) {
	t.Helper()
	dir := t.TempDir()
	for _, ip := range []string{"iptables", "ip6tables"} {
		for _, suffix := range []string{"", "-save", "-restore"} {
			if err := os.Symlink(multi, filepath.Join(dir, ip+suffix)); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Setenv("PATH", dir+":/usr/sbin:/sbin:"+os.Getenv("PATH"))
	const tables = `
		for t in iptables ip6tables; do
			while read table chain; do $t -t $table -A $chain; $t -t $table -D $chain; done <<-END
				filter INPUT
				filter FORWARD
				filter OUTPUT
				nat PREROUTING
				nat INPUT
				nat OUTPUT
				nat POSTROUTING
				raw PREROUTING
				raw OUTPUT
			END
		done`
	hosttest.Sh(t, tables)
}

func network(on nat.On, name, subnet, iface string) []fact.Fact {
	p := netip.MustParsePrefix(subnet)
	return []fact.Fact{
		nat.Forward{On: on, Network: name, Iface: iface},
		nat.Masquerade{On: on, Network: name, Subnet: p, Except: "cnet+"},
		nat.Hairpin{On: on, Network: name, Subnet: p, Iface: iface},
		nat.Loopback{On: on, Network: name, Iface: iface},
	}
}

func hooks(on nat.On) (facts []fact.Fact) {
	for _, role := range []string{nat.RoleForward, nat.RolePostrouting, nat.RolePublish, nat.RoleLoopback} {
		facts = append(facts, nat.Hook{On: on, Role: role})
	}
	return facts
}

func port(on nat.On, proto, to string, first, last, port uint16) nat.Publish {
	return nat.Publish{On: on, Container: "web", HostPort: first, HostEnd: last, Proto: proto, To: netip.MustParseAddr(to), Port: port}
}

func everything() []fact.Fact {
	facts := append(hooks(ip4), hooks(ip6)...)
	facts = append(facts, network(ip4, "lab", "10.77.0.0/24", "cnet-lab")...)
	facts = append(facts, network(ip6, "lab", "fd77::/64", "cnet-lab")...)
	at := port(ip4, "tcp", "10.77.0.2", 8081, 8081, 80)
	at.HostIP = netip.MustParseAddr("127.0.0.1")
	at6 := port(ip6, "udp", "fd77::2", 8081, 8085, 80)
	at6.HostIP = netip.MustParseAddr("2001:db8::1")
	return append(facts,
		nat.Forward{On: ip4, Network: "inner", Iface: "cnet-inner", Internal: true},
		nat.Forward{On: ip4, Network: "alone", Iface: "cnet-alone", NoICC: true},
		nat.Forward{On: ip6, Network: "both", Iface: "cnet-both", NoICC: true, Internal: true},
		port(ip4, "tcp", "10.77.0.2", 8080, 8080, 80),
		port(ip4, "udp", "10.77.0.2", 8080, 8080, 80),
		port(ip4, "sctp", "10.77.0.2", 8080, 8080, 80),
		port(ip4, "tcp", "10.77.0.2", 7000, 7009, 8000),
		port(ip4, "udp", "10.77.0.2", 9000, 9009, 9000),
		port(ip6, "tcp", "fd77::2", 7000, 7009, 8000),
		port(ip6, "tcp", "fd77::2", 9000, 9009, 9000),
		at, at6,
		nat.Rule{On: ip4, Table: "filter", Chain: "ROOT_NS", Text: "The host is marked."},
		nat.Rule{On: ip4, Table: "nat", Chain: "POSTROUTING", Reason: "The world has no way home.",
			Args: strings.Fields("-s 172.18.0.0/16 ! -o br0 -j MASQUERADE")},
		nat.Rule{On: ip6, Table: "filter", Chain: "INPUT", First: true,
			Args: []string{"-p", "tcp", "--dport", "22", "-m", "comment", "--comment", `say "no" to \`, "-j", "DROP"}},
	)
}

func reversed(facts []fact.Fact) []fact.Fact {
	back := make([]fact.Fact, len(facts))
	for i, f := range facts {
		back[len(facts)-1-i] = f
	}
	return back
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal(t *testing.T, want, got string) {
	t.Helper()
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
		t.Fatalf("-want +got\n%s", diff)
	}
}

// count puts programs before those in PATH that write their name to log.
func count(t *testing.T, log string) {
	t.Helper()
	dir := t.TempDir()
	for _, suffix := range []string{"", "-save", "-restore"} {
		real, err := exec.LookPath("iptables" + suffix)
		must(t, err)
		script := fmt.Sprintf("#!/bin/sh\necho iptables%s >> %s\nexec %s \"$@\"\n", suffix, log, real)
		must(t, os.WriteFile(filepath.Join(dir, "iptables"+suffix), []byte(script), 0o755))
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}
