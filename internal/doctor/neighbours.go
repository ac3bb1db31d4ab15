package doctor

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// neighbour is another program that keeps rules of its own.
type neighbour struct {
	name, process, table, chain string
	say                         string
}

func known() []neighbour {
	return []neighbour{
		{"docker", "dockerd", "filter", "DOCKER", "Docker works on this host: it sets the policy of FORWARD to DROP, and lets its own networks pass."},
		{"firewalld", "firewalld", "firewalld", "", "firewalld works on this host: it drops what is forwarded from links in none of its zones, and writes its table anew when it reloads."},
		{"ufw", "", "filter", "ufw-before-forward", "ufw works on this host: it sets the policy of FORWARD to DROP; ufw reload and ufw disable write its rules anew."},
		{"libvirt", "libvirtd", "filter", "LIBVIRT_FWI", "libvirt works on this host: it has networks and rules of its own."},
	}
}

// neighbours: who else writes rules here. What their rules do to cnet's packets
// is a finding of its own.
func neighbours(h host) []Finding {
	var list []Finding
	for _, n := range known() {
		seen := ""
		if n.process != "" && h.running[n.process] {
			seen = "pgrep -x " + n.process
		}
		for _, c := range h.chains {
			if c.Table == n.table && (n.chain == "" || c.Has(n.chain)) {
				seen = c.Show(n.chain)
				if n.chain == "" {
					seen = c.Show(c.Name)
				}
				break
			}
		}
		if seen == "" {
			continue
		}
		list = append(list, Finding{Severity: Note, About: n.name, Say: n.say, Seen: seen, Advice: n.advice()})
	}
	return list
}

func (n neighbour) advice() string {
	if n.name == "firewalld" {
		return "Put cnet's bridges in a zone that passes: firewall-cmd --zone=trusted --add-interface=cnet-NETWORK"
	}
	return "Nothing; after it was restarted, cnet check says whether cnet's rules stand."
}

// processes are the names of those that run.
func processes() map[string]bool {
	found := make(map[string]bool)
	paths, _ := filepath.Glob("/proc/[0-9]*/comm")
	for _, p := range paths {
		if b, err := os.ReadFile(p); err == nil {
			found[strings.TrimSpace(string(b))] = true
		}
	}
	return found
}

// restart is a service that writes rules when it starts.
type restart struct {
	unit string
	at   time.Time
}

// restarts asks systemd; where there is none, nobody knows.
func restarts(ctx context.Context) []restart {
	cmd := exec.CommandContext(ctx, "systemctl", "show", "--timestamp=unix", "-p", "Id", "-p", "ActiveEnterTimestamp",
		"iptables.service", "ip6tables.service", "netfilter-persistent.service", "nftables.service",
		"ufw.service", "firewalld.service", "docker.service")
	out, err := cmd.Output()
	if err != nil {
		return nil
	}
	return parseRestarts(string(out))
}

// parseRestarts reads blocks of Id= and ActiveEnterTimestamp=@SECONDS.
func parseRestarts(text string) []restart {
	var list []restart
	for _, block := range strings.Split(text, "\n\n") {
		r := restart{}
		for _, line := range strings.Split(block, "\n") {
			key, value, _ := strings.Cut(line, "=")
			switch key {
			case "Id":
				r.unit = value
			case "ActiveEnterTimestamp":
				if n, err := strconv.ParseInt(strings.TrimPrefix(value, "@"), 10, 64); err == nil {
					r.at = time.Unix(n, 0)
				}
			}
		}
		if r.unit != "" && !r.at.IsZero() {
			list = append(list, r)
		}
	}
	return list
}
