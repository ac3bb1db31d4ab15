package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/internal/probe"
	"github.com/cnetlab/cnet/internal/serve"
	"github.com/cnetlab/cnet/pkg/netns"
)

// A setting is the state of the host that networks have to live with.
type setting struct {
	bridgeNF int // net.bridge.bridge-nf-call-iptables, and -ip6tables
	policy   string
}

// A column of the table.
type column struct {
	setting
	proto string
	ipv6  bool
}

func (c column) String() string {
	family := map[bool]string{false: "4", true: "6"}[c.ipv6]
	return fmt.Sprintf("%s%s, bridge-nf-call %d, FORWARD %s", c.proto, family, c.bridgeNF, c.policy)
}

// TestVantages calls published and unpublished ports from everywhere, over each
// backend. It prints the table of what answered with -v.
func TestVantages(t *testing.T) {
	t.Parallel()
	for _, backend := range backends {
		if backend == viaLegacy && !long() {
			continue
		}
		for _, driver := range []string{"bridge", "ptp", "isolated"} {
			driver, backend := driver, backend
			t.Run(over(driver, backend), func(t *testing.T) {
				t.Parallel()
				hosttest.Run(t, func(t *testing.T) {
					useBackend(t, backend)
					lan(t)
					tryVantages(t, driver, backend)
				})
			})
		}
	}
}

func tryVantages(t *testing.T, driver, backend string) {
	t.Helper()
	rows, title := vantages, "driver "+driver
	if driver == "isolated" {
		rows, title = apart, "isolated ports"
		file := filepath.Join(t.TempDir(), "isolated.yaml")
		if err := os.WriteFile(file, []byte(isolated), 0o644); err != nil {
			t.Fatal(err)
		}
		must(t, "apply", "-f", file)
		hosttest.Sh(t, detours)
	} else {
		for _, line := range strings.Split(strings.TrimSpace(networks), "\n") {
			must(t, strings.Fields(strings.ReplaceAll(line, "DRIVER", driver))...)
		}
		hosttest.Sh(t, attacks)
	}
	serveAll(t)
	tabulate(t, over(title, backend), backend, rows)
	if backend == viaNftables {
		beaten4and6(t)
	}
	if driver != "isolated" {
		unguarded(t, backend, rows)
	}
}

// beaten4and6 sees that check names a policy that no rule in a table of its own
// can override, and that what it says lets the packets pass.
func beaten4and6(t *testing.T) {
	t.Helper()
	setting{0, "DROP"}.apply(t)
	stdout, stderr, code := cnet(t, "check", "-o", "json")
	var found []struct{ State, Detail, Next string }
	if err := json.Unmarshal([]byte(stdout), &found); err != nil || code != 6 {
		t.Fatalf("check: exit code %d, %v\n%s%s", code, err, stdout, stderr)
	}
	for _, program := range []string{"iptables", "ip6tables"} {
		named := 0
		for _, f := range found {
			if f.State == "differs" && strings.HasPrefix(f.Detail, "chain FORWARD of table filter ("+program+") drops packets sent out: its policy") {
				hosttest.Sh(t, f.Next)
				named++
			}
		}
		if named == 0 {
			t.Errorf("check does not name the policy of %s:\n%s", program, stdout)
		}
	}
	must(t, "check")
}

// tabulate tries the vantages under all settings, and prints the table.
func tabulate(t *testing.T, title, backend string, rows []vantage) {
	t.Helper()
	cells := make(map[string][]string)
	for _, s := range settings(backend) {
		s.apply(t)
		for name, row := range s.try(t, rows) {
			cells[name] = append(cells[name], row...)
		}
	}
	t.Log("\n" + table(title, backend, rows, cells))
}

// unguarded takes cnet's guards away and sees that what they held back now
// comes through: a call that could not succeed anyway would prove nothing.
func unguarded(t *testing.T, backend string, rows []vantage) {
	t.Helper()
	setting{0, "ACCEPT"}.apply(t)
	if backend == viaNftables {
		hosttest.Sh(t, `
nft flush chain inet cnet forward
nft flush chain inet cnet loopback-in
nft insert rule inet cnet prerouting meta nfproto ipv4 fib daddr type local jump publish4`)
	} else {
		hosttest.Sh(t, `
iptables -F CNET-GUARD
iptables -t raw -F CNET-RAW
iptables -t nat -D PREROUTING 1
iptables -t nat -I PREROUTING -j CNET-PUBLISH`)
	}
	var all sync.WaitGroup
	for _, v := range rows {
		if !v.held {
			continue
		}
		v := v
		all.Add(1)
		go func() {
			defer all.Done()
			if r, err := v.call(column{proto: "tcp"}, 10*time.Second); err != nil || !r.OK {
				t.Errorf("%s: without cnet's guards it does not answer either: %v %s", v.name, err, r.Error)
			}
		}()
	}
	all.Wait()
}

// settings of a host. A policy of DROP stops all that is kept with nftables, where
// no rule of one table overrides another's.
func settings(backend string) (list []setting) {
	modes, policies := []int{0, 1}, []string{"ACCEPT", "DROP"}
	if !hasBridgeNF {
		modes = modes[:1] // it is as with 0
	}
	if backend == viaNftables {
		policies = policies[:1]
	}
	for _, mode := range modes {
		for _, policy := range policies {
			list = append(list, setting{mode, policy})
		}
	}
	return list
}

func (s setting) columns() []column {
	return []column{{s, "tcp", false}, {s, "tcp", true}, {s, "udp", false}, {s, "udp", true}}
}

func (s setting) apply(t *testing.T) {
	t.Helper()
	hosttest.Sh(t, fmt.Sprintf(`
for family in ip ip6; do
	[ ! -d /proc/sys/net/bridge ] || sysctl -qw net.bridge.bridge-nf-call-${family}tables=%d
	${family}tables -P FORWARD %s
done`, s.bridgeNF, s.policy))
}

// try tries all vantages at once and returns a cell for each of its columns.
func (s setting) try(t *testing.T, rows []vantage) map[string][]string {
	t.Helper()
	columns := s.columns()
	cells := make(map[string][]string, len(rows))
	var all sync.WaitGroup
	for _, v := range rows {
		row := make([]string, len(columns))
		cells[v.name] = row
		for i, c := range columns {
			v, i, c := v, i, c
			all.Add(1)
			go func() {
				defer all.Done()
				var problem string
				if row[i], problem = v.cell(c); problem != "" {
					t.Errorf("%s, %s: %s", v.name, c, problem)
				}
			}()
		}
	}
	all.Wait()
	return cells
}

// cell makes the call. What must not answer gets less time.
func (v vantage) cell(c column) (cell, problem string) {
	open := (v.answer != "") != (v.unless != nil && v.unless(c))
	timeout := time.Second
	if open || v.refused && c.proto == "tcp" {
		timeout = 10 * time.Second
	}
	r, err := v.call(c, timeout)
	cell = "-"
	if r.OK {
		cell = "yes"
	}
	switch {
	case err != nil:
		problem = err.Error()
	case v.refused && c.proto == "tcp" && r.Errno != "ECONNREFUSED":
		problem = "not refused: " + r.Errno + " " + r.Error
	case open && !r.OK:
		problem = "no answer: " + r.Errno + " " + r.Error
	case open:
		problem = v.misread(r.Body, c)
	case r.OK:
		problem = "it must not answer, and did:\n" + r.Body
	}
	if problem != "" {
		cell += " !"
	} else if v.note != "" && v.unless(c) {
		cell += " *"
	}
	return cell, problem
}

func (v vantage) call(c column, timeout time.Duration) (r probe.Result, err error) {
	target := probe.Target{Scheme: probe.HTTP, Host: v.to.addr(c.ipv6).String(), Port: v.port, Path: "/"}
	if c.proto == "udp" {
		target.Scheme, target.Path = probe.UDP, ""
	}
	err = netns.Do(path(v.from), func() error {
		r = probe.Run(context.Background(), target, probe.Options{Timeout: timeout})
		return nil
	})
	return r, err
}

// misread says what is wrong with the answer, if anything.
func (v vantage) misread(body string, c column) string {
	said := make(map[string]string)
	for _, line := range strings.Split(body, "\n") {
		word, rest, _ := strings.Cut(line, " ")
		said[word] = strings.TrimSpace(rest)
	}
	client, err := netip.ParseAddrPort(said["client"])
	want := v.sees.addr(c.ipv6)
	switch {
	case err != nil:
		return "the answer is not a server's of cnet: " + body
	case said["name"] != v.answer:
		return fmt.Sprintf("%s answered, not %s", said["name"], v.answer)
	case want.IsValid() && client.Addr() != want:
		return fmt.Sprintf("the server saw the client %s, not %s", client.Addr(), want)
	}
	return ""
}

func path(ns string) string {
	if ns == "" {
		return ""
	}
	return "/run/netns/" + ns
}

// serveAll starts the servers, until the test ends.
func serveAll(t *testing.T) {
	t.Helper()
	t.Cleanup(startServers(t))
}

// startServers starts the servers of all containers that are there, and returns
// what stops them.
func startServers(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, w := range servers {
		if w.in != "" && netns.Check(path(w.in)) != nil {
			continue // the containers of another table
		}
		if strings.HasPrefix(w.addr, "[::1]") && !hasIPv6() {
			continue
		}
		for _, udp := range []bool{false, true} {
			s := &serve.Server{Name: w.name, Addr: w.addr, UDP: udp}
			if err := netns.Do(path(w.in), s.Listen); err != nil {
				t.Fatal(err)
			}
			running.Add(1)
			go func() {
				defer running.Done()
				if err := s.Run(ctx); err != nil {
					t.Error(err)
				}
			}()
		}
	}
	return func() { cancel(); running.Wait() }
}

// hasIPv6 reports whether the host has the address ::1.
func hasIPv6() bool {
	off, err := os.ReadFile("/proc/sys/net/ipv6/conf/lo/disable_ipv6")
	return err == nil && string(off) == "0\n"
}

func table(title, backend string, rows []vantage, cells map[string][]string) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	heads := [3]string{title, "FORWARD policy", "who calls, and how"}
	for _, s := range settings(backend) {
		for i, c := range s.columns() {
			first := map[bool]string{true: fmt.Sprintf("br-nf %d", s.bridgeNF)}[i == 0]
			second := map[bool]string{true: s.policy}[i == 0]
			heads[0], heads[1] = heads[0]+"\t"+first, heads[1]+"\t"+second
			heads[2] += "\t" + c.proto + map[bool]string{false: "4", true: "6"}[c.ipv6]
		}
	}
	for _, h := range heads {
		fmt.Fprintln(w, h)
	}
	var notes strings.Builder
	for _, v := range rows {
		fmt.Fprintln(w, v.name+"\t"+strings.Join(cells[v.name], "\t"))
		if v.note != "" && !strings.Contains(notes.String(), v.note) {
			notes.WriteString("* " + v.note + "\n")
		}
	}
	w.Flush()
	return b.String() + notes.String()
}
