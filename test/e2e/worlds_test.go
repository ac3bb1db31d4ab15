package e2e

import (
	"encoding/json"
	"fmt"
	"regexp"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cnetlab/cnet/internal/engine"
	"github.com/cnetlab/cnet/internal/store"
)

// scenario is a host as it is found, and what is typed there. A line that
// begins with $ is not cnet's but a command of somebody else, run in all worlds.
// Where a paragraph ends the exports are tried too.
type scenario struct {
	name  string
	found string
	typed string
	slow  bool // over nftables it is typed only if the test may take long

	backend string
}

// TestWorlds types each line of each scenario into a host of its own, world A,
// and looks whether cnet said the truth about what it did there:
//
//	B  a twin of A. The script that --dry-run prints is run by `sh -e`.
//	C  a host as A was found. The script of `cnet export --script` is run.
//	D  the same. The file of `cnet export` is applied.
//	E  the same in another boot, with the files of A. `cnet up` is run.
//
// The worlds must be wired alike: B after each line, the others after each paragraph. At the end comes a reset, and
// A and B must be as they were found. Every kind of fact must have occurred.
func TestWorlds(t *testing.T) {
	seen := kinds{list: make(map[string]bool)}
	t.Run("scenario", func(t *testing.T) {
		for _, s := range scenarios {
			for _, backend := range []string{viaIptables, viaNftables} {
				s := s
				s.backend = backend
				if !long() && backend == viaNftables && s.slow {
					continue
				}
				t.Run(over(s.name, backend), func(t *testing.T) {
					t.Parallel()
					s.run(t, &seen)
				})
			}
		}
	})
	if missing := seen.missing(); seen.scenarios >= len(scenarios) && len(missing) > 0 {
		t.Errorf("no scenario has a fact of the kinds %s", strings.Join(missing, ", "))
	}
}

func (s scenario) run(t *testing.T, seen *kinds) {
	a, b := s.world(t, "A"), s.world(t, "B")
	found := a.snapshot()
	for i, paragraph := range strings.Split(strings.TrimSpace(s.typed), "\n\n") {
		var now string
		for _, line := range strings.Split(strings.TrimSpace(paragraph), "\n") {
			line = strings.TrimSpace(line)
			if foreign, ok := strings.CutPrefix(line, "$ "); ok {
				a.sh(foreign)
				b.sh(foreign)
				continue
			}
			now = both(t, a, b, line)
			seen.add(t, a.files())
		}
		s.exports(t, a, now, paragraph)
		if i == 0 || long() {
			s.reboot(t, a, now, paragraph)
		}
	}
	alike(t, "after the reset A is not as it was found", found, both(t, a, b, "reset"))
	if left := a.files(); len(left) > 0 {
		t.Errorf("after the reset there are the files %v", left)
	}
	seen.done()
}

func (s scenario) world(t *testing.T, name string) *world {
	t.Helper()
	w := newWorld(t, name, "CNET_FIREWALL="+s.backend)
	w.sh("ip link set lo up\n" + s.found)
	return w
}

// both has cnet do what a line says in A, and the shell in B. It returns the
// snapshot of A.
func both(t *testing.T, a, b *world, line string) string {
	t.Helper()
	args := strings.Fields(line)
	script := b.cnet("", append(args, "--dry-run")...)
	a.cnet("", args...)
	b.sh(script)
	now := a.snapshot()
	alike(t, "cnet "+line+": A, where it ran, and B, where its --dry-run ran, differ", now, b.snapshot())
	b.setFiles(a.files())
	return now
}

// exports makes what A has once more by its exports, each in a new world.
func (s scenario) exports(t *testing.T, a *world, want, typed string) {
	t.Helper()
	c := s.world(t, "C")
	c.sh(a.cnet("", "export", "--script"))
	alike(t, "A and C, where the exported script ran, differ after\n"+typed, want, c.snapshot())
	d := s.world(t, "D")
	d.cnet(a.cnet("", "export"), "apply", "-f", "-")
	alike(t, "A and D, where the export was applied, differ after\n"+typed, want, d.snapshot())
	if diff := cmp.Diff(lasting(a.files()), lasting(d.files())); diff != "" {
		t.Errorf("the files of A and D differ after\n%s:\n%s", typed, diff)
	}
}

// reboot makes what A has once more in another boot. What a process has of it is
// gone with the process; that has tests of its own.
func (s scenario) reboot(t *testing.T, a *world, want, typed string) {
	t.Helper()
	files := a.files()
	for _, content := range files {
		if strings.Contains(content, `"netns": "/proc/`) {
			return
		}
	}
	e := s.world(t, "E")
	e.setFiles(files)
	e.sh(otherBoot)
	e.cnet("", "up")
	alike(t, "A and E, where it was made again after a reboot, differ after\n"+typed, want, e.snapshot())
	if diff := cmp.Diff(lasting(files), lasting(e.files())); diff != "" {
		t.Errorf("the files of A and E differ after\n%s:\n%s", typed, diff)
	}
}

// otherBoot gives a host another boot id.
const otherBoot = `
	sed 's/^......../00000000/' /proc/sys/kernel/random/boot_id > /run/boot_id
	mount --bind /run/boot_id /proc/sys/kernel/random/boot_id
`

// lasting are the files that survive a reboot.
func lasting(files map[string]string) map[string]string {
	kept := make(map[string]string)
	for path, content := range files {
		if strings.HasPrefix(path, store.StateDir) {
			kept[path] = adopted.ReplaceAllString(content, "")
		}
	}
	return kept
}

// adopted is the number of an adopted namespace: each world has its own.
var adopted = regexp.MustCompile(`\n *"netns_id": [0-9]+,`)

// kinds are the kinds of facts that the scenarios came across.
type kinds struct {
	mu        sync.Mutex
	list      map[string]bool
	scenarios int // that ran to their end
}

func (k *kinds) add(t *testing.T, files map[string]string) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	for path, content := range files {
		if !strings.HasPrefix(path, store.RunDir) {
			continue
		}
		var ledger struct{ Facts []struct{ Kind string } }
		if err := json.Unmarshal([]byte(content), &ledger); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, f := range ledger.Facts {
			k.list[f.Kind] = true
		}
	}
}

func (k *kinds) done() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.scenarios++
}

func (k *kinds) missing() (names []string) {
	for _, name := range engine.Codec().Kinds() {
		// What reset finds without a ledger has a kind of its own, which no ledger names.
		if !k.list[name] && name != "nat.rule" && name != "nat.found" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// alike fails the test if two snapshots tell of different wiring.
func alike(t *testing.T, what, want, got string) {
	t.Helper()
	if diff := unlike(want, got); diff != "" {
		t.Fatalf("%s:\n%s", what, diff)
	}
}

// unlike are the lines that only one of two snapshots has: those of the
// first with a minus, those of the second with a plus. The order of rules counts
// but in the chains of cnet's where each rule stands for itself.
func unlike(want, got string) string {
	if want == got {
		return ""
	}
	count := make(map[string]int)
	for _, l := range canonical(want) {
		count[l]--
	}
	for _, l := range canonical(got) {
		count[l]++
	}
	var lines []string
	for l, n := range count {
		if n != 0 {
			lines = append(lines, fmt.Sprintf("%+d %s", n, l))
		}
	}
	sort.Slice(lines, func(i, j int) bool { return lines[i][3:] < lines[j][3:] })
	const most = 60
	if len(lines) > most {
		lines = append(lines[:most], fmt.Sprintf("and %d lines more", len(lines)-most))
	}
	return strings.Join(lines, "\n")
}

// canonical makes the lines of a snapshot independent of their place: a rule
// gets its table, its chain and, where its place in the chain matters, its number.
// Tables and built-in chains without a rule are left out: looking at them makes them.
func canonical(snapshot string) (lines []string) {
	var program, table, chain string
	place := make(map[string]int)
	for _, line := range strings.Split(snapshot, "\n") {
		where, rule, ok := cutProgram(line)
		if !ok {
			lines = append(lines, line)
			continue
		}
		if where != program {
			program, table, chain = where, "", ""
		}
		words := strings.Fields(rule)
		switch {
		case rule[0] == '*':
			table = rule[1:]
			continue
		case words[0] == "table" && len(words) == 4:
			table = words[1] + " " + words[2]
			continue
		case len(words) == 3 && words[2] == "{": // a chain, a map or a set
			chain, rule = words[1], "there is"
			if words[0] != "chain" {
				chain = words[0] + " " + chain
			}
			if !cnets(table, chain) {
				continue
			}
		case rule[0] == ':':
			chain, rule = words[0][1:], "policy "+words[1]
			if words[1] == "ACCEPT" {
				continue
			}
		case words[0] == "-A":
			chain = words[1]
		case rule == "}", rule == "COMMIT", words[0] == "type" && strings.HasSuffix(rule, "policy accept;") && !cnets(table, chain):
			continue
		}
		at := where + " " + table + " " + chain
		if isMap := strings.Contains(chain, " "); isMap { // in which elements have no place
			rule = strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(rule, "elements = { "), " }"), ",")
		} else if !strings.HasPrefix(chain, "CNET") || chain == "CNET-FORWARD" {
			place[at]++
			rule = fmt.Sprintf("%d: %s", place[at], rule)
		}
		lines = append(lines, at+" "+rule)
	}
	return lines
}

// cnets reports whether a chain is cnet's own.
func cnets(table, chain string) bool {
	return table == "inet cnet" || strings.HasPrefix(chain, "CNET")
}

// cutProgram splits a line of a snapshot that a firewall's program printed.
func cutProgram(line string) (where, rule string, ok bool) {
	for _, program := range []string{" iptables-save ", " ip6tables-save ", " iptables-legacy-save ", " ip6tables-legacy-save ", " nft "} {
		if before, after, ok := strings.Cut(line, program); ok && !strings.ContainsAny(before, "{\"") {
			return before + program[:len(program)-1], strings.TrimSpace(after), true
		}
	}
	return "", "", false
}

// A command that lies is found: the comparison sees what `ip addr add` does not
// do and netlink's AddrAdd by itself does.
func TestWorldsSeeALie(t *testing.T) {
	t.Parallel()
	const link = "ip link add br0 address 0a:00:00:00:00:01 type bridge\n"
	for _, c := range []struct{ name, did, said string }{
		{"broadcast", "ip addr add 192.0.2.1/24 dev br0 broadcast 192.0.2.255", "ip addr add 192.0.2.1/24 dev br0"},
		{"mtu", "ip link set br0 mtu 1400", "true"},
		{"setting", "sysctl -qw net.ipv4.conf.br0.route_localnet=1", "true"},
		{"route", "ip link set br0 up; ip route add 198.51.100.0/24 dev br0", "ip link set br0 up"},
		{"order", "iptables -A INPUT -i br0 -j DROP; iptables -A INPUT -j ACCEPT",
			"iptables -A INPUT -j ACCEPT; iptables -A INPUT -i br0 -j DROP"},
		{"address of a port", "iptables -t nat -N CNET-PUBLISH; iptables -t nat -A CNET-PUBLISH -p tcp -j DNAT --to 10.77.0.2:80",
			"iptables -t nat -N CNET-PUBLISH; iptables -t nat -A CNET-PUBLISH -p tcp -j DNAT --to 10.77.0.3:80"},
		{"namespace", "mkdir /run/netns; touch /run/netns/a; unshare --net=/run/netns/a true", "mkdir /run/netns; touch /run/netns/a"},
	} {
		c := c
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, b := newWorld(t, "A"), newWorld(t, "B")
			a.sh(link + c.did)
			b.sh(link + c.said)
			if unlike(a.snapshot(), b.snapshot()) == "" {
				t.Errorf("%q and %q seem to do the same", c.did, c.said)
			}
		})
	}
}
