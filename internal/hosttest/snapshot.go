package hosttest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/cnetlab/cnet/pkg/netns"
)

// Snapshot is the state of the sandbox's network as sorted text, a line for each
// thing: links, bridge ports, addresses, rules, routes and lasting neighbours of
// the host and of each namespace in /run/netns, the settings under
// /proc/sys/net, the firewall's rules, the mounts of namespaces and the files of
// /etc/netns. What differs from run to run without anyone's saying is left out
// or made equal: numbers of links, MAC addresses of the kernel's choice, timers,
// counters. Two hosts are wired alike if their snapshots are equal.
func Snapshot(t testing.TB) string {
	t.Helper()
	var lines []string
	links := readLinks(t, chosenMACs)
	for _, ns := range append([]string{""}, namespaces()...) {
		for _, line := range stack(t, ns, links) {
			lines = append(lines, where(ns)+" "+line)
		}
	}
	lines = append(lines, pins(t)...)
	lines = append(lines, etcFiles(t)...)
	return strings.Join(lines, "\n") + "\n"
}

// Glance is a [Snapshot] of what cnet itself touches: without most settings, and
// without the rules of the old iptables and of others' tables of nft. It takes a third
// of the time, and of the MAC addresses it expects that nobody left them to
// the kernel's choice.
func Glance(t testing.TB) string {
	t.Helper()
	links := readLinks(t, func(testing.TB, string) []string { return nil })
	var lines []string
	for _, ns := range append([]string{""}, namespaces()...) {
		here := append(links.describe(ns), addresses(t, ns)...)
		here = append(here, routes(t, ns)...)
		here = append(here, touched(t, ns)...)
		for _, program := range []string{"iptables-save", "ip6tables-save"} {
			here = append(here, prefixed(program, ruleLines(saved(t, ns, program)))...)
		}
		if own, err := try(ns, "nft", "list", "table", "inet", "cnet"); err == nil { // else there is none
			here = append(here, prefixed("nft", ruleLines(own))...)
		}
		for _, line := range here {
			lines = append(lines, where(ns)+" "+line)
		}
	}
	lines = append(lines, pins(t)...)
	return strings.Join(append(lines, etcFiles(t)...), "\n") + "\n"
}

// touched are the settings that cnet sets, and those that follow them.
func touched(t testing.TB, ns string) (lines []string) {
	t.Helper()
	names := []string{
		"ipv4/ip_forward", "ipv4/conf/*/forwarding", "ipv4/conf/*/route_localnet", "ipv4/conf/*/accept_redirects",
		"ipv6/conf/*/forwarding", "ipv6/conf/*/accept_ra", "ipv6/conf/*/disable_ipv6", "bridge/bridge-nf-call-ip*tables",
	}
	err := within(ns, func() error {
		for _, name := range names {
			paths, err := filepath.Glob("/proc/sys/net/" + name)
			if err != nil {
				return err
			}
			for _, path := range paths {
				if b, err := os.ReadFile(path); err == nil {
					lines = append(lines, "sysctl "+path+":"+strings.TrimSpace(string(b)))
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(lines)
	return lines
}

func within(ns string, fn func() error) error {
	if ns == "" {
		return fn()
	}
	return netns.Do("/run/netns/"+ns, fn)
}

// Host runs a command in the sandbox and returns what it prints.
func Host(t testing.TB, argv ...string) string {
	t.Helper()
	return run(t, "", argv...)
}

// Sh runs a script with `sh -e` in the sandbox.
func Sh(t testing.TB, script string) {
	t.Helper()
	cmd := exec.Command("sh", "-e")
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sh -e: %v\n%s\n%s", err, script, out)
	}
}

func namespaces() (names []string) {
	entries, _ := os.ReadDir("/run/netns")
	for _, e := range entries {
		if netns.Check("/run/netns/"+e.Name()) == nil {
			names = append(names, e.Name())
		}
	}
	return names
}

func where(ns string) string {
	if ns == "" {
		return "host"
	}
	return "netns " + ns
}

// run runs a command on the host or in a named namespace. A program that is
// not there prints nothing.
func run(t testing.TB, ns string, argv ...string) string {
	t.Helper()
	out, err := try(ns, argv...)
	if err != nil {
		t.Fatalf("%s: %s: %v", where(ns), strings.Join(argv, " "), err)
	}
	return out
}

func try(ns string, argv ...string) (string, error) {
	if _, err := exec.LookPath(argv[0]); err != nil {
		return "", nil
	}
	var out, problem bytes.Buffer
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := within(ns, cmd.Run); err != nil {
		return out.String(), fmt.Errorf("%w\n%s", err, problem.String())
	}
	return out.String(), nil
}

func stack(t testing.TB, ns string, links linkTable) (lines []string) {
	t.Helper()
	lines = append(lines, links.describe(ns)...)
	lines = append(lines, addresses(t, ns)...)
	lines = append(lines, routes(t, ns)...)
	lines = append(lines, settings(t, ns)...)
	return append(lines, rules(t, ns)...)
}

// Rules is the part of a [Snapshot] that tells the host's rules, of all programs.
func Rules(t testing.TB) string {
	t.Helper()
	return strings.Join(prefixed(where(""), rules(t, "")), "\n") + "\n"
}

func rules(t testing.TB, ns string) (lines []string) {
	t.Helper()
	for _, program := range []string{"iptables-save", "ip6tables-save", "iptables-legacy-save", "ip6tables-legacy-save"} {
		lines = append(lines, prefixed(program, ruleLines(saved(t, ns, program)))...)
	}
	return append(lines, prefixed("nft", ruleLines(run(t, ns, "nft", "list", "ruleset")))...)
}

// saved is what a program prints that saves the rules of a firewall. In a user
// namespace the kernel does not say which tables of the old iptables are in use.
func saved(t testing.TB, ns, program string) string {
	t.Helper()
	out, err := try(ns, program)
	if err != nil {
		return "unreadable"
	}
	return out
}

func prefixed(word string, lines []string) []string {
	for i := range lines {
		lines[i] = word + " " + lines[i]
	}
	return lines
}

var counters = regexp.MustCompile(`\[\d+:\d+\]|counter packets \d+ bytes \d+`)

// ruleLines keeps the order of rules, which matters.
func ruleLines(text string) (lines []string) {
	for _, l := range strings.Split(text, "\n") {
		if strings.HasPrefix(l, ":") || strings.Contains(l, "counter") { // the others are many, and the search is slow
			l = counters.ReplaceAllString(l, "counter")
		}
		if l = strings.TrimRight(l, " "); l != "" && !strings.HasPrefix(l, "#") {
			lines = append(lines, l)
		}
	}
	return lines
}

// volatile are parts of the names of settings that change by themselves or hold
// a secret.
var volatile = []string{
	"nf_conntrack_count", "tcp_fastopen_key", "stable_secret", "_cookie", "nf_conntrack_max", "nf_conntrack_expect_max", "/netdev_rss_key",
}

func isVolatile(setting string) bool {
	return slices.ContainsFunc(volatile, func(part string) bool { return strings.Contains(setting, part) })
}

func settings(t testing.TB, ns string) (lines []string) {
	t.Helper()
	out, _ := try(ns, "grep", "-rs", ".", "/proc/sys/net") // fails for the settings that cannot be read
	for _, l := range strings.Split(out, "\n") {
		if l = strings.TrimPrefix(l, "/proc/sys/"); l != "" && !isVolatile(l) {
			lines = append(lines, "sysctl "+l)
		}
	}
	sort.Strings(lines)
	return lines
}

// pins are the mounts of namespaces: where, of which file system, shared or not.
func pins(t testing.TB) (lines []string) {
	t.Helper()
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range strings.Split(string(table), "\n") {
		left, right, _ := strings.Cut(l, " - ")
		f, kind := strings.Fields(left), strings.Fields(right)
		if len(f) < 6 || !strings.HasPrefix(f[4], "/run/netns") && kind[0] != "nsfs" {
			continue
		}
		shared := strings.Contains(strings.Join(f[6:], " "), "shared:")
		lines = append(lines, fmt.Sprintf("mount %s %s shared=%v", f[4], kind[0], shared))
	}
	sort.Strings(lines)
	_ = filepath.Walk("/run/netns", func(path string, _ os.FileInfo, err error) error {
		if err == nil {
			lines = append(lines, "pin "+path)
		}
		return nil
	})
	return lines
}

func etcFiles(t testing.TB) (lines []string) {
	t.Helper()
	_ = filepath.Walk("/etc/netns", func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return nil
		}
		content := ""
		if info.Mode().IsRegular() {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			content = fmt.Sprintf(" %q", b)
		}
		lines = append(lines, fmt.Sprintf("file %s %s%s", path, info.Mode(), content))
		return nil
	})
	return lines
}
