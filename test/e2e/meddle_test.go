package e2e

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cnetlab/cnet/internal/hosttest"
)

// TestMeddle has somebody meddle by hand with what cnet made, in every way that
// is in the tables: check names the root of it first, repair mends it with just
// the steps that are told, and the host and cnet's files are then as they were.
// Streams that were open before go on, but for those that the meddling itself cuts.
func TestMeddle(t *testing.T) {
	t.Parallel()
	for name, host := range meddled {
		host := host
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hosttest.Run(t, func(t *testing.T) { host.run(t) })
		})
	}
}

// meddledHost is a host on which things are done by hand, one after the other.
type meddledHost struct {
	backend string            // what keeps the rules; iptables if empty
	typed   string            // what cnet has made
	echo    string            // the containers that answer
	streams map[string]string // "FROM ADDRESS" by name
	rows    []meddling
}

// meddling is something done by hand, and what cnet makes of it.
type meddling struct {
	name  string
	sh    string // what is done
	finds string // "LAYER: STATE SENTENCE" and the difference, of the first finding
	steps string // what repair does: verbs and kinds
	after string // takes back what is not for cnet to take back
	cuts  string // streams that it cuts
	loses bool   // cnet's own files, and what they remembered
}

func (h meddledHost) run(t *testing.T) {
	useBackend(t, h.backend)
	hosttest.Sh(t, lanScript+"ip netns del neighbour; ip -n outside link del neighbour0 || true")
	for _, line := range strings.Split(strings.TrimSpace(h.typed), "\n") {
		must(t, strings.Fields(line)...)
	}
	hosttest.Sh(t, "iptables -S > /dev/null; ip6tables -S > /dev/null") // which makes the tables
	for _, ns := range strings.Fields(h.echo) {
		listenEcho(t, ns)
	}
	streams := make(map[string]*stream)
	open := func(name string) {
		from, to, _ := strings.Cut(h.streams[name], " ")
		if from == "host" {
			from = ""
		}
		streams[name] = openStream(t, name, from, to)
	}
	for name := range h.streams {
		open(name)
	}
	// Else a packet that comes late, when a link was down, may be taken to be of
	// no connection: it is not rewritten, and the host resets what it does not know.
	hosttest.Sh(t, "sysctl -qw net.netfilter.nf_conntrack_tcp_be_liberal=1")
	before, files := hosttest.Snapshot(t), cnetFiles(t)
	for _, m := range h.rows {
		if !m.run(t, before, files) {
			return
		}
		for name, s := range streams {
			if strings.Contains(" "+m.cuts+" ", " "+name+" ") {
				s.conn.Close()
				listenAgain(t, h)
				open(name)
				continue
			}
			if err := s.goesOn(); err != nil {
				t.Fatalf("%s: stream %s: %v", m.name, name, err)
			}
		}
	}
}

// listenAgain has the containers answer again whose namespace is another by now.
func listenAgain(t *testing.T, h meddledHost) {
	t.Helper()
	for _, ns := range strings.Fields(h.echo) {
		if hosttest.Host(t, "ip", "netns", "exec", ns, "ss", "-Hltn", "sport = :80") == "" {
			listenEcho(t, ns)
		}
	}
}

// run does one thing by hand and has cnet mend it.
func (m meddling) run(t *testing.T, before string, files map[string]string) bool {
	hosttest.Sh(t, m.sh)
	m.check(t)
	if got := m.repair(t); got != m.steps {
		t.Errorf("%s: repair did\n\t%s\nand not\n\t%s", m.name, got, m.steps)
	}
	if out, _, code := cnet(t, "check"); code != 0 {
		t.Errorf("%s: after the repair check says, with exit code %d:\n%s", m.name, code, out)
	}
	if out := must(t, "repair"); out != "nothing to do\n" {
		t.Errorf("%s: the second repair says:\n%s", m.name, out)
	}
	hosttest.Sh(t, m.after)
	if diff := unlike(before, hosttest.Snapshot(t)); diff != "" {
		t.Errorf("%s: the host is not as it was:\n%s", m.name, diff)
	}
	if diff := cmp.Diff(files, cnetFiles(t)); diff != "" && !m.loses {
		t.Errorf("%s: cnet's files are not as they were (-was +is):\n%s", m.name, diff)
	}
	return !t.Failed() || os.Getenv("MEDDLE_ALL") != ""
}

// check has the first root named that is to be found.
func (m meddling) check(t *testing.T) {
	t.Helper()
	out, problem, code := cnet(t, "check", "-o", "json")
	if code != 6 {
		t.Errorf("%s: check returns %d: %s", m.name, code, problem)
	}
	var found []struct{ Layer, Say, State, Detail, Because, Notice string }
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		t.Fatalf("%s: %v\n%s", m.name, err, out)
	}
	for _, f := range found {
		if f.State == "holds" || f.Because != "" {
			continue
		}
		got := strings.TrimSpace(f.Layer + ": " + f.State + " " + f.Say + " " + f.Detail)
		if got = handles.ReplaceAllString(got, "handle N"); got != m.finds {
			t.Errorf("%s: check finds\n\t%s\nand not\n\t%s", m.name, got, m.finds)
		}
		return
	}
	t.Errorf("%s: check finds nothing", m.name)
}

// handles are numbers that the kernel gives to rules.
var handles = regexp.MustCompile(`handle \d+`)

// repair mends, and tells what was done.
func (m meddling) repair(t *testing.T) string {
	t.Helper()
	var done struct{ Steps []struct{ Verb, Kind string } }
	if err := json.Unmarshal([]byte(must(t, "repair", "-o", "json")), &done); err != nil {
		t.Fatalf("%s: %v", m.name, err)
	}
	var steps []string
	for _, s := range done.Steps {
		steps = append(steps, s.Verb+" "+s.Kind)
	}
	return strings.Join(steps, ", ")
}
