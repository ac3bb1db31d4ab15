package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/doctor"
	"github.com/cnetlab/cnet/internal/hosttest"
)

// ailment is something wrong with a host, made by hand.
type ailment struct {
	name     string
	networks bool   // a network and a published port are there before
	cause    string // a script
	about    string
	severity doctor.Severity
	says     string // a part of the sentence
	shows    string // a part of what the command prints that shows it
	without  bool   // there is no command that mends it, only advice
	asks     string // a program that the row needs, or a file that it must be able to read
}

const firewalldLike = `
	nft add table inet firewalld
	nft add chain inet firewalld filter_FORWARD '{ type filter hook forward priority 10; policy accept; }'
	nft add chain inet firewalld filter_FORWARD_ZONES
	nft add chain inet firewalld filter_FWD_public
	nft add rule inet firewalld filter_FORWARD ct state '{ established, related }' accept
	nft add rule inet firewalld filter_FORWARD ct status dnat accept
	nft add rule inet firewalld filter_FORWARD iifname lo accept
	nft add rule inet firewalld filter_FORWARD ct state invalid drop
	nft add rule inet firewalld filter_FORWARD jump filter_FORWARD_ZONES
	nft add rule inet firewalld filter_FORWARD reject with icmpx admin-prohibited
	nft add rule inet firewalld filter_FORWARD_ZONES iifname uplink0 goto filter_FWD_public
	nft add rule inet firewalld filter_FWD_public meta l4proto '{ icmp, ipv6-icmp }' accept`

var ailments = []ailment{
	{name: "forwarding not on yet", about: "forwarding", severity: doctor.Note, cause: "sysctl -qw net.ipv4.ip_forward=0",
		says: "does not forward packets yet", shows: "net.ipv4.ip_forward = 0", without: true},
	{name: "forwarding switched off", networks: true, about: "forwarding", severity: doctor.Error,
		cause: "sysctl -qw net.ipv4.ip_forward=0", says: "IPv4", shows: "net.ipv4.ip_forward = 0"},
	{name: "a FORWARD policy of DROP before", about: "firewall", severity: doctor.Note, cause: "iptables -P FORWARD DROP",
		says: "stands first", shows: "-P FORWARD DROP", without: true},
	{name: "a FORWARD policy of DROP", networks: true, about: "firewall", severity: doctor.Note, cause: "iptables -P FORWARD DROP",
		says: "stands first", shows: "-P FORWARD DROP", without: true},
	{name: "a drop before cnet's jump", networks: true, about: "firewall", severity: doctor.Error,
		cause: "iptables -I FORWARD 1 -i cnet-lab -j DROP", says: "before cnet's jump", shows: "-A FORWARD -i cnet-lab -j DROP"},
	{name: "a drop in mangle", networks: true, about: "firewall", severity: doctor.Error,
		cause: "iptables -t mangle -A FORWARD -s 10.0.0.0/8 -j DROP", says: "table mangle", shows: "-A FORWARD -s 10.0.0.0/8 -j DROP"},
	{name: "a drop of one port", networks: true, about: "firewall", severity: doctor.Note, without: true,
		cause: "iptables -t raw -A PREROUTING -p tcp -m tcp --dport 25 -j DROP", says: "drops some packets", shows: "--dport 25"},
	{name: "a policy in a table of nft", networks: true, about: "firewall", severity: doctor.Error, asks: "nft",
		cause: `nft add table inet fw; nft add chain inet fw forward '{ type filter hook forward priority 5; policy drop; }'
			nft add rule inet fw forward ct state vmap '{ established : accept, related : accept, invalid : drop }'
			nft add rule inet fw forward iifname '{ docker0, virbr0 }' accept
			nft add rule inet fw forward tcp dport 22 accept`,
		says: "Chain forward of table inet fw (hook forward, priority 5)", shows: "policy drop"},
	{name: "a policy in a table of nft before", about: "firewall", severity: doctor.Error, asks: "nft",
		cause: `nft add table ip filter2; nft add chain ip filter2 forward '{ type filter hook forward priority 0; policy drop; }'`,
		says:  "its policy", shows: "policy drop"},
	{name: "a policy that a mark may pass", networks: true, about: "firewall", severity: doctor.Warning, asks: "nft",
		cause: `nft add table inet fw; nft add chain inet fw forward '{ type filter hook forward priority 5; policy drop; }'
			nft add rule inet fw forward ct mark 7 accept`, says: "its policy", shows: "ct mark"},
	{name: "a rule in a chain that is jumped to", networks: true, about: "firewall", severity: doctor.Error, asks: "nft",
		cause: firewalldLike, says: "its rule with handle", shows: "reject"},
	{name: "firewalld's table", networks: true, about: "firewalld", severity: doctor.Note, asks: "nft", without: true,
		cause: firewalldLike, says: "firewalld works", shows: "table inet firewalld"},
	{name: "a drop on arrival", networks: true, about: "firewall", severity: doctor.Error, asks: "nft",
		cause: `nft add table ip early; nft add chain ip early pre '{ type filter hook prerouting priority -150; }'
			nft add rule ip early pre ip saddr 10.77.0.0/16 drop`, says: "Chain pre", shows: "saddr 10.77.0.0/16"},
	{name: "a drop on the way to the host", networks: true, about: "firewall", severity: doctor.Note, asks: "nft", without: true,
		cause: `nft add table ip early; nft add chain ip early in '{ type filter hook input priority 0; policy drop; }'`,
		says:  "to the host itself", shows: "policy drop"},
	{name: "a drop within the bridge", networks: true, about: "firewall", severity: doctor.Error, asks: "nft", without: true,
		cause: `nft add table bridge b; nft add chain bridge b forward '{ type filter hook forward priority 0; policy drop; }'`,
		says:  "send each other", shows: "policy drop"},
	{name: "rules in the legacy tables", about: "legacy", severity: doctor.Warning, asks: "/proc/net/ip_tables_names", without: true,
		cause: "iptables-legacy -A INPUT -p udp -j ACCEPT", says: "iptables-legacy has rules", shows: "-A INPUT -p udp"},
	{name: "a drop in the legacy tables", networks: true, about: "firewall", severity: doctor.Error, asks: "/proc/net/ip_tables_names",
		cause: "iptables-legacy -P FORWARD DROP; iptables-legacy -A INPUT -p udp -j ACCEPT", says: "(iptables-legacy)", shows: "-P FORWARD DROP"},
	{name: "docker's chains", about: "docker", severity: doctor.Note, cause: "iptables -N DOCKER", says: "Docker", shows: "-N DOCKER", without: true},
	{name: "ufw's chains", about: "ufw", severity: doctor.Note, cause: "iptables -N ufw-before-forward", says: "ufw", shows: "-N ufw-before-forward", without: true},
	{name: "docker runs", about: "docker", severity: doctor.Note, without: true, asks: "pgrep",
		cause: "ln -s $(command -v sleep) $PWD/dockerd; $PWD/dockerd 60 >/dev/null 2>&1 &", says: "Docker", shows: "\n"},
	{name: "strict rp_filter", about: "rp_filter", severity: doctor.Note, cause: "sysctl -qw net.ipv4.conf.all.rp_filter=1",
		says: "strict", shows: "rp_filter = 1", without: true},
	{name: "strict rp_filter and two ways out", about: "rp_filter", severity: doctor.Warning, shows: "rp_filter = 1", says: "2 ways out",
		cause: `sysctl -qw net.ipv4.conf.all.rp_filter=1; ip link add up2 type veth peer name up2b; ip addr add 198.18.0.2/24 dev up2
			ip link set up2 up; ip link set up2b up; ip route add default via 198.18.0.1 metric 100`},
	{name: "a VPN's halves", about: "vpn", severity: doctor.Note, without: true, says: "two halves", shows: "0.0.0.0/1 dev tun0", cause: vpn},
	{name: "a smaller MTU on the way out", networks: true, about: "mtu", severity: doctor.Warning, without: true,
		cause: vpn, says: "only 1400", shows: "mtu 1400"},
	{name: "a route into the network", networks: true, about: "overlap", severity: doctor.Error,
		cause: tunnel + "ip route add 10.77.0.128/25 dev tun0", says: "takes packets away", shows: "10.77.0.128/25"},
	{name: "a route around the network", networks: true, about: "overlap", severity: doctor.Warning, without: true,
		cause: tunnel + "ip route add 10.0.0.0/8 dev tun0", says: "hides a part", shows: "10.0.0.0/8"},
	{name: "a route that covers the pool", about: "overlap", severity: doctor.Warning, without: true,
		cause: tunnel + "ip route add 10.0.0.0/8 dev tun0", says: "finds none", shows: "10.0.0.0/8"},
	{name: "a flush", networks: true, about: "flush", severity: doctor.Error, cause: "iptables -t nat -F", says: "flushed", shows: "absent"},
	{name: "a link left behind", about: "leftover", severity: doctor.Warning,
		cause: "ip link add cnet-old type bridge; ip link set cnet-old alias 'cnet network old'", says: "cnet-old", shows: "cnet-old"},
	{name: "a link left behind beside others", networks: true, about: "leftover", severity: doctor.Warning,
		cause: "ip link add cnet-old type bridge; ip link set cnet-old alias 'cnet network old'", says: "cnet-old", shows: "cnet-old"},
	{name: "chains left behind", about: "leftover", severity: doctor.Warning, cause: "iptables -N CNET-ALLOW", says: "CNET-ALLOW", shows: "-N CNET-ALLOW"},
	{name: "a change cut off", networks: true, about: "journal", severity: doctor.Warning,
		cause: `printf '{"version":1,"boot":"%s","what":"create x","steps":[],"files":[]}' $(cat /proc/sys/kernel/random/boot_id) >/run/cnet/journal.json`,
		says:  "cnet create x", shows: "journal.json"},
	{name: "a damaged file", networks: true, about: "files", severity: doctor.Error, without: true,
		cause: "echo '{' >/var/lib/cnet/networks/lab.json", says: "damaged", shows: "damaged"},
}

const tunnel = "ip link add tun0 mtu 1400 type veth peer name tun0b; ip link set tun0 up; ip link set tun0b up; "
const vpn = tunnel + "ip route add 0.0.0.0/1 dev tun0; ip route add 128.0.0.0/1 dev tun0"

// TestDoctor makes a host ill and has cnet doctor see it. The command that
// shows it must show it, and the command that mends it must make it go away.
func TestDoctor(t *testing.T) {
	t.Parallel()
	for _, a := range ailments {
		a := a
		t.Run(strings.ReplaceAll(a.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			hosttest.Run(t, a.run)
		})
	}
}

func (a ailment) run(t *testing.T) {
	if strings.HasPrefix(a.asks, "/") {
		if _, err := os.ReadFile(a.asks); err != nil {
			t.Skipf("this kernel, or this user, has no %s", a.asks)
		}
	} else if _, err := exec.LookPath(a.asks); a.asks != "" && err != nil {
		t.Skipf("%s is not installed", a.asks)
	}
	lan(t)
	// What the kernel starts with differs from machine to machine.
	byHand(t, "sysctl -qw net.ipv4.ip_forward=1; for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$f; done")
	if a.networks {
		must(t, "network", "create", "lab")
		must(t, "create", "web", "--network", "lab", "--publish", "8080:80")
	}
	if a.networks && a.about == "firewall" {
		wantsOut(t, true)
	}
	if f := a.find(examine(t)); f != nil {
		t.Fatalf("found before: %+v", *f)
	}
	byHand(t, a.cause)
	f := a.find(examine(t))
	switch {
	case f == nil:
		t.Fatalf("not found: %+v", examine(t))
	case a.without != (f.Mend == "") || a.without != (f.Advice != ""):
		t.Errorf("mend: %q, advice: %q", f.Mend, f.Advice)
	}
	if out := byHand(t, f.Seen+" || true"); !strings.Contains(out, a.shows) {
		t.Errorf("%s does not show %q:\n%s", f.Seen, a.shows, out)
	}
	// What is said of a firewall is so: packets get out, or do not.
	firewall := a.networks && a.about == "firewall" && !strings.Contains(f.Say, "table bridge")
	if firewall {
		wantsOut(t, f.Severity == doctor.Note)
	}
	if f.Mend == "" {
		return
	}
	byHand(t, f.Mend)
	if firewall {
		wantsOut(t, true)
	}
	if f := a.find(examine(t)); f != nil {
		t.Errorf("not mended: %+v", *f)
	}
}

// wantsOut tests whether a container is answered from outside, where nothing
// listens. A link that has just come up may lose what is sent first.
func wantsOut(t *testing.T, want bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; {
		out, _, _ := cnet(t, "probe", "web", "203.0.113.1:81", "--timeout", "300ms")
		got := strings.HasPrefix(out, "ECONNREFUSED")
		if got == want {
			return
		}
		if !want || time.Now().After(end) {
			t.Errorf("packets get out: %v\n%s", got, out)
			return
		}
	}
}

// find returns the finding of the ailment.
func (a ailment) find(r doctor.Report) *doctor.Finding {
	for i, f := range r.Findings {
		if f.About == a.about && f.Severity == a.severity && strings.Contains(f.Say, a.says) {
			return &r.Findings[i]
		}
	}
	return nil
}

// examine runs cnet doctor, whose exit code must be that of what it found.
func examine(t *testing.T) doctor.Report {
	t.Helper()
	out, problem, code := cnet(t, "doctor", "-o", "json")
	var r doctor.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v\n%s%s", err, out, problem)
	}
	if want := map[bool]int{true: 6}[r.Worst() == doctor.Error]; code != want {
		t.Errorf("exit code %d, not %d:\n%s", code, want, out)
	}
	return r
}

// byHand runs a script as somebody types it, with cnet in the PATH.
func byHand(t *testing.T, script string) string {
	t.Helper()
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir = t.TempDir()
	cmd.Env = append(cmd.Environ(), environment(cnetDir(t))...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}

// TestDoctorHealthy: on a host as it comes, with a network and a published port,
// nothing is wrong; and looking changes nothing.
func TestDoctorHealthy(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		lan(t)
		before := hosttest.Snapshot(t)
		healthy(t)
		if after := hosttest.Snapshot(t); after != before {
			t.Error("looking changed the host")
		}
		must(t, "network", "create", "lab")
		must(t, "network", "create", "cables", "--driver", "ptp")
		must(t, "network", "create", "closed", "--internal")
		must(t, "network", "create", "apart", "--icc=false")
		must(t, "create", "web", "--network", "lab", "--publish", "8080:80")
		must(t, "create", "db", "--network", "cables", "--publish", "8081:80")
		before = hosttest.Snapshot(t)
		healthy(t)
		if after := hosttest.Snapshot(t); after != before {
			t.Error("looking changed the host")
		}
	})
}

func healthy(t *testing.T) {
	t.Helper()
	r := examine(t)
	if len(r.Unseen) > 0 {
		t.Errorf("not seen: %q", r.Unseen)
	}
	for _, f := range r.Findings {
		if f.Severity != doctor.Note || f.About == "firewall" {
			t.Errorf("%+v", f)
		}
	}
}
