package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cnetlab/cnet/internal/hosttest"
)

// tableVariable names the folder to which the rows write what they saw.
const tableVariable = "CNET_E2E_NEIGHBOURS"

// TestNeighbours has cnet share its host with others. In each row a neighbour sets
// up; networks work or cnet says why not; nothing of the neighbour's is touched;
// after a reset, and after deletions by hand, the host is as it was; the neighbour
// starts again, and what that took from cnet is named and mended. With -v it
// prints the table. CNET_LONG=1 runs all rows over all backends, and
// calls again even where nothing had changed.
func TestNeighbours(t *testing.T) {
	t.Parallel()
	within := os.Getenv(tableVariable) != ""
	if !within {
		os.Setenv(tableVariable, t.TempDir()) // the sandboxes inherit it
	}
	t.Run("rows", func(t *testing.T) {
		for _, b := range rowsToRun() {
			b := b
			t.Run(b.title(), func(t *testing.T) {
				t.Parallel()
				hosttest.Run(t, func(t *testing.T) { b.run(t) })
			})
		}
	})
	if !within {
		t.Log("\n" + seen(t, os.Getenv(tableVariable)))
	}
}

// rowsToRun are the rows, and some or all of them over the other backends too.
func rowsToRun() (list []beside) {
	short := map[string][]string{
		viaLegacy:   {"nobody", "foreign-rules"},
		viaNftables: {"nobody", "docker-28", "nftables-conf"},
	}
	for _, b := range besides {
		list = append(list, b.over(viaIptables))
		if long() && !b.oneMake || slices.Contains(short[viaLegacy], b.name) {
			list = append(list, b.over(viaLegacy))
		}
		if long() || slices.Contains(short[viaNftables], b.name) {
			list = append(list, b.over(viaNftables))
		}
	}
	return list
}

// over is the row over a backend. With nftables nothing of cnet's stands before
// others' rules, nor others' before cnet's.
func (b beside) over(backend string) beside {
	b.backend = backend
	if backend != viaNftables {
		return b
	}
	b.stops, b.front, b.later, b.says = append(slices.Clone(b.stops), b.nftStops...), nil, "", ""
	if b.nftNamed != "" {
		b.named = b.nftNamed
	}
	switch {
	case b.nftKept, b.lost != flushed:
		b.lost = ""
	default:
		b.lost = tableGone
	}
	return b
}

func (b beside) title() string { return over(b.name, b.backend) }

// seen is the table of what the rows saw.
func seen(t *testing.T, dir string) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "neighbour\tout\tin\thost\t127.0.0.1\tsibling\tclosed\tforeign rules\treset\tby hand\tstarts again")
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(w, string(b))
	}
	w.Flush()
	return text.String()
}

func (b beside) run(t *testing.T) {
	for _, p := range b.needs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skip("not installed: ", p)
		}
	}
	useBackend(t, b.backend)
	lan(t)
	hosttest.Sh(t, routesToContainers)
	b.start(t)
	b.start(t) // that it can, without cnet
	hosttest.Sh(t, primeScript)
	alone, glance := hosttest.Snapshot(t), hosttest.Glance(t)

	cells := []string{b.title()}
	if b.create(t) {
		cells = append(cells, b.call(t)...)
		cells = append(cells, same(t, "rules of others beside cnet", foreign(alone), foreign(hosttest.Rules(t))))
		must(t, "reset")
		cells = append(cells, same(t, "the host after reset", glance, hosttest.Glance(t)))
		b.create(t)
		b.startAgain(t)
		if b.proxied() {
			must(t, "edge", "stop")
			must(t, "delete", "caller")
		}
		must(t, "service", "delete", "shop")
		must(t, "delete", "web", "sibling")
		must(t, "network", "delete", "open")
		cells = append(cells, same(t, "the host after deletions", bare(alone), bare(hosttest.Snapshot(t))))
		cells = append(cells, map[bool]string{true: "kept", false: "mended"}[b.lost == ""])
		b.obey(t)
	} else {
		cells = append(cells, "refused", "", "", "", "", "", "", same(t, "the host after a refusal", alone, hosttest.Snapshot(t)), "", "")
	}
	report(t, cells)
}

// obey has cnet's doctor say what is in the way, which the row names or is
// nothing, and does to the neighbour what it says; then all calls must pass.
func (b beside) obey(t *testing.T) {
	t.Helper()
	if b.named == "" && !long() {
		return
	}
	b.create(t)
	out, _, _ := cnet(t, "doctor", "-o", "json")
	var report struct {
		Findings []struct{ Severity, Say, Mend string }
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("doctor: %v\n%s", err, out)
	}
	named := false
	for _, f := range report.Findings {
		if f.Severity != "error" {
			continue
		}
		if b.named == "" || !regexp.MustCompile(b.named).MatchString(f.Say) {
			t.Errorf("doctor says %q", f.Say)
		}
		named = true
		hosttest.Sh(t, f.Mend)
	}
	if !named && b.named != "" {
		t.Errorf("doctor does not say %q\n%s", b.named, out)
	}
	b.stops = nil
	must(t, "check")
	b.call(t)
	must(t, "reset")
}

func report(t *testing.T, cells []string) {
	t.Helper()
	file := filepath.Join(os.Getenv(tableVariable), filepath.Base(t.Name()))
	if err := os.WriteFile(file, []byte(strings.Join(cells, "\t")), 0o644); err != nil {
		t.Fatal(err)
	}
}

// lacks is the exit code of a neighbour's script where the kernel lacks what it
// needs. It prints what.
const lacks = 77

// start has the neighbour start, or start again.
func (b beside) start(t *testing.T) {
	t.Helper()
	out, err := exec.Command("sh", "-e", "testdata/neighbours/"+b.name+".sh").CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == lacks:
		t.Skip(string(out))
	case err != nil:
		t.Fatalf("%s.sh: %v\n%s", b.name, err, out)
	}
}

// create makes a network, and reports whether that can be.
func (b beside) create(t *testing.T) bool {
	t.Helper()
	ipv6 := func(args ...string) []string {
		if b.ipv4 {
			return args[:len(args)-2]
		}
		return args
	}
	if b.ipv4 {
		_, problem, code := cnet(t, "network", "create", "open", "--ipv6")
		if code != 8 || !strings.Contains(problem, "IPv6: it is switched off on this host") {
			t.Errorf("--ipv6: exit code %d\n%s", code, problem)
		}
	}
	_, said, code := cnet(t, ipv6("network", "create", "open", "--subnet", "10.77.1.0/24", "--subnet6", "fd77:1::/64")...)
	said = strings.Join(strings.Fields(said), " ")
	want := b.says
	if b.refused != "" {
		want = b.refused
	}
	if !regexp.MustCompile(want).MatchString(said) || (want+b.stopper() == "") != (said == "") {
		t.Errorf("cnet says %q, not %q", said, want)
	}
	if !regexp.MustCompile(b.stopper()).MatchString(said) {
		t.Errorf("cnet says %q, and does not name %q", said, b.stopper())
	}
	if (code != 0) != (b.refused != "") {
		t.Fatalf("exit code %d: %s", code, said)
	}
	if code != 0 {
		return false
	}
	must(t, ipv6("create", "web", "--network", "open", "--ip", "10.77.1.2", "--publish", "8080:80", "--publish", "8080:80/udp", "--ip6", "fd77:1::2")...)
	must(t, ipv6("create", "sibling", "--network", "open", "--ip", "10.77.1.3", "--ip6", "fd77:1::3")...)
	must(t, ipv6("service", "create", "shop", "--network", "open", "--port", "80", "--port", "80/udp", "--backend", "web", "--vip", "10.76.0.1", "--vip6", "fd77:76::1")...)
	if b.proxied() {
		must(t, "create", "caller", "--network", "open", "--ip", "10.77.1.4")
		must(t, "sidecar", "attach", "caller")
		must(t, "edge", "start", "--listen", "127.0.0.1:8090")
		must(t, "edge", "route", "*", "--to", "shop")
	}
	return true
}

// proxied: calls go through a sidecar and an edge, too.
func (b beside) proxied() bool {
	return long() || slices.Contains([]string{"nobody", "docker-28", "foreign-rules", "ufw-rules"}, b.name)
}

// stopper is what names the chain that no rule of cnet's can override, if there
// is one.
func (b beside) stopper() string {
	if b.named == "" || len(b.stops) == 0 {
		return ""
	}
	return "(?i)" + b.named
}

// startAgain has the neighbour start again, and cnet name and mend what is lost.
func (b beside) startAgain(t *testing.T) {
	t.Helper()
	b.start(t)
	b.typed(t, "check", b.lost)
	if got := inFront(t); !slices.Equal(got, b.front) {
		t.Errorf("in front of cnet: %q, not %q", got, b.front)
	}
	if b.lost == "" && !long() {
		return
	}
	b.typed(t, "repair", "")
	b.typed(t, "check", "")
	if got := inFront(t); b.lost != "" && len(got) > 0 {
		t.Errorf("in front of cnet after the repair: %q", got)
	}
	b.call(t)
}

// typed runs check or repair.
func (b beside) typed(t *testing.T, word, lost string) {
	t.Helper()
	out, problem, code := cnet(t, word)
	b.judge(t, word, lost, out, problem, code)
}

// judge has check or repair return 6 and name what is lost, or the chain that
// stops cnet's packets; 0 if there is neither.
func (b beside) judge(t *testing.T, word, lost, out, problem string, code int) {
	t.Helper()
	want := lost
	if want == "" {
		want = strings.ReplaceAll(b.stopper(), " ", `\s+`)
	}
	says := regexp.MustCompile(want)
	if (code != 0) != (want != "") || code != 0 && code != 6 || !says.MatchString(out) && !says.MatchString(problem) {
		t.Errorf("%s: exit code %d\n%s%s\nis not like %q", word, code, out, problem, want)
	}
}

// inFront is the rules of FORWARD before cnet's, by their targets or links; none
// where cnet has no rule there.
func inFront(t *testing.T) (names []string) {
	t.Helper()
	for _, rule := range strings.Split(hosttest.Host(t, "iptables", "-S", "FORWARD"), "\n") {
		w := strings.Fields(rule)
		switch {
		case strings.Contains(rule, "CNET-FORWARD"):
			return names
		case len(w) == 0 || w[0] == "-P":
		case strings.Contains(rule, "docker0"):
			names = append(names, "docker0")
		default:
			names = append(names, w[len(w)-1])
		}
	}
	return nil
}

// call makes all calls, over TCP and UDP, and returns a cell for each column of
// the table: what answered over all of them.
func (b beside) call(t *testing.T) []string {
	t.Helper()
	defer startServers(t)()
	var mu sync.Mutex
	var all sync.WaitGroup
	ok, bad := map[string]bool{}, map[string]bool{}
	for _, v := range append(slices.Clone(promises), b.also...) {
		for _, c := range b.columns(v) {
			v, c := v, c
			all.Add(1)
			go func() {
				defer all.Done()
				answered, problem := b.cell(v, c)
				if problem != "" {
					t.Errorf("%s, %s: %s", v.name, c, problem)
				}
				mu.Lock()
				defer mu.Unlock()
				ok[v.name], bad[v.name] = ok[v.name] || answered, bad[v.name] || problem != ""
			}()
		}
	}
	all.Wait()
	for from, to := range map[string]string{"caller": "10.77.1.2:80", "": "127.0.0.1:8090"} { // through the sidecar, and the edge
		if !b.proxied() || slices.Contains(b.stops, callSibling) {
			continue
		}
		if status, _, err := get(from, to); status != 200 {
			t.Errorf("%s is answered %d by %s: %v", from, status, to, err)
		}
	}
	var cells []string
	for _, name := range []string{callOut, callIn, callHost, callLocal, callSibling, callClosed} {
		cells = append(cells, map[bool]string{true: "yes", false: "-"}[ok[name] != (name == callClosed)]+map[bool]string{true: " !"}[bad[name]])
	}
	return cells
}

func (b beside) columns(v vantage) (list []column) {
	for _, proto := range []string{"tcp", "udp"} {
		for _, ipv6 := range []bool{false, true} {
			c := column{proto: proto, ipv6: ipv6}
			if v.to.addr(ipv6).IsValid() && !(ipv6 && b.ipv4) && (v.unless == nil || !v.unless(c)) {
				list = append(list, c)
			}
		}
	}
	return list
}

// cell makes a call. What must not answer gets little time.
func (b beside) cell(v vantage, c column) (answered bool, problem string) {
	const little, enough = 300 * time.Millisecond, 10 * time.Second
	open, timeout := v.answer != "" && !slices.Contains(b.stops, v.name), little
	if open {
		timeout = enough
	}
	r, err := v.call(c, timeout)
	switch {
	case err != nil:
		problem = err.Error()
	case open && !r.OK:
		problem = "no answer: " + r.Errno + " " + r.Error
	case open:
		problem = v.misread(r.Body, c)
	case r.OK:
		problem = "it must not answer, and did:\n" + r.Body
	}
	return r.OK, problem
}

// routesToContainers lets the neighbour on the LAN send to the containers.
const routesToContainers = `
ip -n neighbour route add 10.77.1.0/24 via 203.0.113.2
ip -n neighbour route add fd77:1::/64 via 2001:db8::2
`

// useLegacy makes the legacy iptables the host's.
func useLegacy(t *testing.T) {
	t.Helper()
	legacy, err := exec.LookPath("xtables-legacy-multi")
	if err != nil {
		t.Skip("not installed: ", err)
	}
	dir := t.TempDir()
	for _, name := range []string{"iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore"} {
		if err := os.Symlink(legacy, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	os.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// primeScript has iptables make its empty tables, which it does at the first change
// and never takes back.
const primeScript = `
for restore in iptables-restore ip6tables-restore; do
	for verb in A D; do
		$restore --noflush <<-END
			*raw
			-$verb PREROUTING
			-$verb OUTPUT
			COMMIT
			*nat
			-$verb PREROUTING
			-$verb INPUT
			-$verb OUTPUT
			-$verb POSTROUTING
			COMMIT
			*filter
			-$verb INPUT
			-$verb FORWARD
			-$verb OUTPUT
			COMMIT
		END
	done
done
`

// same reports a difference, and what to write in a cell.
func same(t *testing.T, what, want, got string) string {
	t.Helper()
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s: -before +after\n%s", what, diff)
		return "differ"
	}
	return "same"
}

// foreign is the rule sets of all programs, in order, without what is cnet's.
func foreign(snapshot string) string {
	rules := rulesOfHost.FindAllString(snapshot, -1)
	return cnetChain.ReplaceAllString(strings.Join(rules, ""), "")
}

var rulesOfHost = regexp.MustCompile(`(?m)^host (ip6?tables|nft).*\n`)

// cnetChain is cnet's table or a chain of its own as nft lists it, or any line
// that names one.
var cnetChain = regexp.MustCompile(`(?m)^host nft table inet cnet \{\n(host nft \t.*\n)*host nft \}\n|^host nft \tchain CNET-\S+ \{\n(host nft \t\t.*\n)*host nft \t\}\n|^.*CNET-.*\n`)

// bare is a snapshot without the empty tables that iptables made and leaves
// behind, which let everything pass.
func bare(snapshot string) string {
	for _, empty := range emptyTables {
		snapshot = empty.ReplaceAllString(snapshot, "")
	}
	return snapshot
}

var emptyTables = []*regexp.Regexp{
	regexp.MustCompile(`(?m)^host nft \tchain [A-Z]+ \{\nhost nft \t\ttype .* policy accept;\nhost nft \t\}\n`),
	regexp.MustCompile(`(?m)^host nft table ip6? (raw|mangle|nat|filter|security) \{\nhost nft \}\n`),
	regexp.MustCompile(`(?m)^host (ip6?tables\S*) \*.*\n(host \S+ :[A-Z]+ ACCEPT.*\n)*host \S+ COMMIT\n`),
}
