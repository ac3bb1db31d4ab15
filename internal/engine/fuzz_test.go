package engine

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/store"
	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/fact"
)

const (
	labFile = `{"version":1,"network":{"name":"lab","driver":"bridge","subnet":"10.77.0.0/24","gateway":"10.77.0.1","mtu":1500,"firewall":"iptables"}}`
	webFile = `{"version":1,"container":{"name":"web","networks":[{"network":"lab","interface":"eth0","ip":"10.77.0.2","mac":"0a:77:0a:4d:00:02","default_route":true}],"publish":["8080:80/tcp"]}}`
	dbFile  = `{"version":1,"container":{"name":"db","netns":"/proc/7/ns/net","netns_id":7,"nameservers":["192.0.2.1"],"search":["example.org"]}}`
)

// FuzzState reads files of a network and two containers that hold anything: they
// are refused in the name of one of them, or say what can be compiled and is
// written as it was read.
func FuzzState(f *testing.F) {
	for _, s := range [][3]string{
		{labFile, webFile, dbFile},
		{"", webFile, dbFile},
		{labFile[:len(labFile)/2], webFile, dbFile},
		{labFile, strings.ReplaceAll(webFile, `"web"`, `"../x"`), dbFile},
		{labFile, webFile, strings.ReplaceAll(webFile, `"web"`, `"db"`)},
		{labFile, `{"version":1,"container":{"name":"web","share":"db"}}`, dbFile},
		{strings.Replace(labFile, `"mtu"`, `"ipv6":true,"subnet6":"fd77:77:77::/64","gateway6":"fd77:77:77::1","mtu"`, 1), webFile, "null"},
	} {
		f.Add([]byte(s[0]), []byte(s[1]), []byte(s[2]))
	}
	dir := f.TempDir()
	e := &Engine{Store: store.Store{State: dir, Run: dir + "/run"}, codec: Codec()}
	f.Fuzz(func(t *testing.T, lab, web, db []byte) {
		put(t, e.Store.Object("networks", "lab"), lab)
		put(t, e.Store.Object("containers", "web"), web)
		put(t, e.Store.Object("containers", "db"), db)
		topo, err := e.Topology()
		if err != nil {
			refusal(t, err, dir)
			return
		}
		compiles(t, topo)
		for path, object := range objects(e.Store, topo, nil) {
			text, err := encode(object)
			if err != nil {
				t.Fatal(err)
			}
			put(t, path, text)
		}
		again, err := e.Topology()
		if diff := cmp.Diff(compiled(topo), compiled(again)); err != nil || diff != "" {
			t.Errorf("written and read, it compiles otherwise: %v\n%s", err, diff)
		}
	})
}

// FuzzLedger reads ledgers that hold anything.
func FuzzLedger(f *testing.F) {
	e, dir := ledgerOf(f)
	files, err := e.ledgers(seed(f, e))
	if err != nil {
		f.Fatal(err)
	}
	for _, content := range files {
		text, err := encode(content)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		put(t, e.Store.LedgerFile("host"), data)
		s, err := e.ledger(nil)
		if err != nil {
			refusal(t, err, dir)
			return
		}
		for _, made := range s.made {
			speaks(made)
		}
	})
}

// FuzzJournal reads journals that hold anything.
func FuzzJournal(f *testing.F) {
	e, _ := ledgerOf(f)
	s := seed(f, e)
	var steps []fact.Step
	for i, made := range s.made {
		steps = append(steps, fact.Step{Verb: fact.Verb(i % 2), Fact: made})
	}
	if err := os.MkdirAll(e.Store.Run, 0o755); err != nil {
		f.Fatal(err)
	}
	j := journal{What: "cnet create web", Steps: steps, Files: []store.File{{Path: e.Store.Object("networks", "lab"), Content: []byte(labFile)}}}
	if err := e.begin(j); err != nil {
		f.Fatal(err)
	}
	data, _, err := e.Store.Pending()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"version":1,"files":[{"path":"/etc/shadow"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var j journalFile
		if err := decode("journal.json", data, &j, &j.Version); err != nil {
			refusal(t, err, "journal.json")
			return
		}
		steps, err := e.decodeSteps("journal.json", j.Steps)
		if err != nil {
			return
		}
		for _, s := range fact.Reverse(steps) {
			speaks(s.Fact)
		}
		if e.within(j.Files) == nil {
			for _, file := range j.Files {
				if !strings.HasPrefix(filepath.Clean(file.Path), e.Store.State) {
					t.Errorf("%q would be written", file.Path)
				}
			}
		}
	})
}

// FuzzResolvers: what is taken of a resolv.conf is fit for a container's.
func FuzzResolvers(f *testing.F) {
	f.Add("nameserver 192.0.2.53\nsearch example.org a\n")
	f.Add("nameserver 127.0.0.53\n# nameserver 1.1.1.1\nnameserver\nnameserver fe80::1%eth0\rsearch .\n")
	f.Fuzz(func(t *testing.T, text string) {
		c := topology.Container{Name: "web"}
		c.Nameservers, c.Search = parseResolvers(text)
		if err := (topology.Topology{Containers: []topology.Container{c}}).Check(); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// ledgerOf is an engine on a store in a folder.
func ledgerOf(f *testing.F) (*Engine, string) {
	dir := f.TempDir()
	return &Engine{Store: store.Store{State: dir + "/state", Run: dir + "/state/run"}, codec: Codec()}, dir
}

// seed is a state with every kind of fact that a small topology has.
func seed(f *testing.F, e *Engine) state {
	for path, text := range map[string]string{
		e.Store.Object("networks", "lab"): labFile, e.Store.Object("containers", "web"): webFile, e.Store.Object("containers", "db"): dbFile,
	} {
		put(f, path, []byte(text))
	}
	topo, err := e.Topology()
	if err != nil {
		f.Fatal(err)
	}
	return state{topo: topo, made: topology.Compile(topo).Facts}
}

func put(t testing.TB, path string, data []byte) {
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err = errors.Join(err, os.WriteFile(path, data, 0o644)); err != nil {
		t.Fatal(err)
	}
}

// refusal is a failure in words that names a file in dir.
func refusal(t *testing.T, err error, dir string) {
	t.Helper()
	var f *fail.Error
	if !errors.As(err, &f) || !strings.Contains(f.What, dir) || f.Next == "" {
		t.Errorf("refused by %#v, which names no file", err)
	}
}

func compiles(t *testing.T, topo topology.Topology) {
	t.Helper()
	if err := topo.Check(); err != nil {
		t.Error(err)
	}
	for _, f := range topology.Compile(topo).Facts {
		speaks(f)
	}
}

func compiled(topo topology.Topology) (lines []string) {
	for _, f := range topology.Compile(topo).Facts {
		lines = append(lines, f.Key().String()+" "+f.Say())
	}
	return lines
}

// speaks asks a fact for all that it can say without the kernel.
func speaks(f fact.Fact) {
	f.Key()
	f.Say()
	f.Why()
	for _, v := range []fact.Verb{fact.Make, fact.Break, fact.Show} {
		f.Commands(v)
	}
}
