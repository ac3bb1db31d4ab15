package demo

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"time"
)

// state is a host's links, addresses, routes, rules, IP settings and named
// namespaces, one on a line.
type state []string

// snapshot is the state of the sandbox's host.
func snapshot(ctx context.Context) (state, error) {
	var s state
	for _, read := range []func(context.Context) ([]string, error){readLinks, readRoutes, readRules, readSettings, readNames} {
		part, err := read(ctx)
		if err != nil {
			return nil, fmt.Errorf("look at the host: %w", err)
		}
		s = append(s, part...)
	}
	return s, nil
}

// unlike is a line that only one of the two has.
func (s state) unlike(other state) (line string) {
	for _, pair := range [][2]state{{s, other}, {other, s}} {
		have := make(map[string]bool)
		for _, l := range pair[0] {
			have[l] = true
		}
		for _, l := range pair[1] {
			if !have[l] {
				return l
			}
		}
	}
	return ""
}

const asBefore = "as before the first step"

// unchanged is that the host is as it was before. The kernel takes apart a
// deleted namespace, and the links that led to it, some time later.
func (s *stage) unchanged() look {
	what := "the host's links, addresses, routes, rules, settings and namespaces"
	return look{what, asBefore, func(ctx context.Context, _ string) (string, error) {
		for end := time.Now().Add(patience); ; {
			now, err := snapshot(ctx)
			if err != nil {
				return "", err
			}
			line := s.before.unlike(now)
			switch {
			case line == "":
				return asBefore, nil
			case time.Now().After(end):
				return "not as before: " + line, nil
			}
		}
	}}
}

func readLinks(context.Context) (lines []string, err error) {
	list, err := net.Interfaces()
	for _, l := range list {
		lines = append(lines, fmt.Sprintf("link %s %s %d %s", l.Name, l.HardwareAddr, l.MTU, l.Flags))
		addrs, err := l.Addrs()
		if err != nil {
			return nil, err
		}
		for _, a := range addrs {
			if strings.HasPrefix(a.String(), "fe80:") {
				continue // it comes some time after the link, by itself
			}
			lines = append(lines, fmt.Sprintf("address %s %s", l.Name, a))
		}
	}
	return lines, err
}

func readRoutes(context.Context) (lines []string, err error) {
	list, err := routes()
	for _, r := range list {
		lines = append(lines, "route "+r)
	}
	b, err6 := os.ReadFile("/proc/thread-self/net/ipv6_route")
	if err6 != nil {
		return lines, err // no IPv6
	}
	for _, row := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		f := strings.Fields(row)
		// Fields 5 to 8 are counters and flags. Routes for link-local and
		// multicast addresses come some time after the link, by themselves.
		if len(f) == 10 && !strings.HasPrefix(f[0], "fe80") && !strings.HasPrefix(f[0], "ff") {
			lines = append(lines, fmt.Sprintf("route %s/%s via %s dev %s", f[0], f[1], f[4], f[9]))
		}
	}
	return lines, err
}

var counters = regexp.MustCompile(`\[\d+:\d+\]`)

// readRules leaves out the built-in chains, which appear by being looked at.
func readRules(ctx context.Context) (lines []string, err error) {
	for _, program := range []string{"iptables-save", "ip6tables-save"} {
		if _, err := exec.LookPath(program); err != nil {
			continue
		}
		out, err := exec.CommandContext(ctx, program).Output()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", program, err)
		}
		table := ""
		for _, l := range strings.Split(string(out), "\n") {
			l = counters.ReplaceAllString(l, "")
			switch {
			case strings.HasPrefix(l, "*"):
				table = l
			case strings.HasPrefix(l, "-A"), strings.HasPrefix(l, ":") && !strings.HasSuffix(l, " ACCEPT "):
				lines = append(lines, program+" "+table+" "+l)
			}
		}
	}
	return lines, nil
}

func readSettings(context.Context) (lines []string, err error) {
	for _, root := range []string{"/proc/sys/net/ipv4", "/proc/sys/net/ipv6"} {
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() || strings.HasSuffix(path, "fastopen_key") {
				return nil
			}
			if b, err := os.ReadFile(path); err == nil { // some are write-only
				lines = append(lines, "setting "+path+" "+strings.TrimSpace(string(b)))
			}
			return nil
		})
	}
	return lines, nil
}

func readNames(context.Context) (lines []string, err error) {
	names, err := filepath.Glob("/run/netns/*")
	sort.Strings(names)
	return append(lines, names...), err
}
