package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/store"
	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/fact"
)

// version is that of the form of all files. A file of another is refused.
const version = 1

// state is what the files say.
type state struct {
	topo  topology.Topology
	made  []fact.Fact         // in the order in which they are made
	owner map[fact.Key]string // whom the ledger says each was made for
	only  topology.Scope      // whose facts made holds; nil is all
}

// compile returns the facts of a topology that are in the scope of the state.
func (s state) compile(t topology.Topology) topology.Compiled { return topology.CompileOnly(t, s.only) }

type networkFile struct {
	Version int              `json:"version"`
	Network topology.Network `json:"network"`
}

type containerFile struct {
	Version   int                `json:"version"`
	Container topology.Container `json:"container"`
}

// expectFile holds what the user expects of who reaches whom.
type expectFile struct {
	Version int                    `json:"version"`
	Expect  []topology.Expectation `json:"expect"`
}

// ledgerFile holds the facts that were made for one owner in this boot.
type ledgerFile struct {
	Version int           `json:"version"`
	Boot    string        `json:"boot"`
	Owner   string        `json:"owner"`
	Facts   []fact.Record `json:"facts"`
}

// Topology reads what the user asked for. It needs no lock.
func (e *Engine) Topology() (t topology.Topology, err error) {
	err = e.Store.Steady(func() error { t, err = e.topology(); return err })
	return t, err
}

func (e *Engine) topology() (topology.Topology, error) {
	var t topology.Topology
	read := func(path string, data []byte) error {
		err := readObject(&t, path, data)
		if errors.Is(err, errDamaged) {
			return e.hint(path, err)
		}
		return err
	}
	for _, kind := range kinds() {
		if err := e.Store.Objects(kind, read); err != nil {
			return t, err
		}
	}
	t.Sort()
	return t, e.sound(t)
}

// hint says what to do about a damaged file of which there is a backup.
func (e *Engine) hint(path string, err error) error {
	var f *fail.Error
	if errors.As(err, &f) && e.Store.HasBackup(path) {
		f.Next = "cnet repair, which puts its backup in its place"
	}
	return err
}

// kinds are the folders of the objects' files.
func kinds() []string { return []string{"networks", "containers", "expect"} }

// readObject adds to t the object that the file at path tells of.
func readObject(t *topology.Topology, path string, data []byte) error {
	switch filepath.Base(filepath.Dir(path)) {
	case "networks":
		var f networkFile
		if err := decode(path, data, &f, &f.Version); err != nil {
			return err
		}
		t.Networks = append(t.Networks, f.Network)
		return isNamed(path, f.Network.Name)
	case "expect":
		var f expectFile
		err := decode(path, data, &f, &f.Version)
		t.Expect = append(t.Expect, f.Expect...)
		return err
	}
	var f containerFile
	if err := decode(path, data, &f, &f.Version); err != nil {
		return err
	}
	t.Containers = append(t.Containers, f.Container)
	return isNamed(path, f.Container.Name)
}

// isNamed reports a file that tells of another object than its name says.
func isNamed(path, name string) error {
	if filepath.Base(path) != name+".json" {
		return damaged(path, fmt.Errorf("it tells of %q", name))
	}
	return nil
}

// look reads topology and ledger without the lock.
func (e *Engine) look() (s state, err error) {
	err = e.Store.Steady(func() error { s, err = e.load(); return err })
	return s, err
}

// load reads topology and ledger. The caller holds the lock.
func (e *Engine) load() (state, error) {
	t, err := e.topology()
	if err != nil {
		return state{}, err
	}
	return e.loadOnly(t, nil)
}

// loadOnly reads the ledger of those in the scope.
func (e *Engine) loadOnly(t topology.Topology, only topology.Scope) (state, error) {
	s, err := e.ledger(only)
	s.topo, s.made = t, inOrder(s.made, s.compile(t).Facts)
	return s, err
}

// ledger reads the facts made in this boot for those in the scope, in no order.
func (e *Engine) ledger(only topology.Scope) (state, error) {
	s := state{owner: make(map[fact.Key]string), only: only}
	boot, err := bootID()
	if err != nil {
		return s, err
	}
	err = e.Store.Ledgers(only, func(path string, data []byte) error {
		var f ledgerFile
		if err := decode(path, data, &f, &f.Version); err != nil {
			return err
		}
		if f.Boot != boot {
			return nil // the kernel has forgotten them
		}
		facts, err := e.decodeFacts(path, f.Facts)
		for _, made := range facts {
			s.owner[made.Key()] = f.Owner
		}
		s.made = append(s.made, facts...)
		return err
	})
	return s, err
}

func (e *Engine) decodeFacts(path string, records []fact.Record) ([]fact.Fact, error) {
	facts := make([]fact.Fact, 0, len(records))
	for _, r := range records {
		f, err := e.codec.Decode(r)
		if err != nil {
			return nil, damaged(path, err)
		}
		facts = append(facts, f)
	}
	return facts, nil
}

// inOrder sorts made facts as the compiler orders them; what the compiler does
// not know comes last, to be broken first.
func inOrder(made, compiled []fact.Fact) []fact.Fact {
	byKey := make(map[fact.Key]fact.Fact, len(made))
	for _, f := range made {
		byKey[f.Key()] = f
	}
	out := make([]fact.Fact, 0, len(made))
	for _, f := range compiled {
		if m, ok := byKey[f.Key()]; ok {
			out = append(out, m)
			delete(byKey, f.Key())
		}
	}
	for _, f := range made {
		if _, left := byKey[f.Key()]; left {
			out = append(out, f)
		}
	}
	return out
}

func decode(path string, data []byte, into any, v *int) error {
	if err := json.Unmarshal(data, into); err != nil {
		return damaged(path, err)
	}
	if *v != version {
		return fail.New(fail.Failed, "read "+path, "it is of version %d; this cnet reads version %d", *v, version).
			Try("use the cnet that wrote it")
	}
	return nil
}

// errDamaged is the error of a file that says nothing that cnet could have written.
var errDamaged = errors.New("the file is damaged")

func damaged(path string, cause error) error {
	return fail.New(fail.Failed, "read "+path, "%w: %s", errDamaged, cause).
		Try("mend it by hand, or move it away and run cnet repair")
}

// bootID names this boot of the kernel (random(4)).
func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read the boot id: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// files returns the files that differ between two states.
func (e *Engine) files(before, after state) ([]store.File, error) {
	var list []store.File
	was, is := objects(e.Store, before.topo, before.only), objects(e.Store, after.topo, after.only)
	ledgerWas, err1 := e.ledgers(before)
	ledgerIs, err2 := e.ledgers(after)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	for _, pair := range [][2]map[string]any{{ledgerWas, ledgerIs}, {was, is}} {
		changed, err := changes(pair[0], pair[1])
		if err != nil {
			return nil, err
		}
		list = append(list, changed...)
	}
	inTurn(list, before.topo, after.topo)
	return list, nil
}

// inTurn sorts files so that a power cut in between leaves nothing that stands on
// what is missing: networks are written before containers, these before those that
// share their namespaces, and removed the other way round.
func inTurn(list []store.File, before, after topology.Topology) {
	turn := func(f store.File) int {
		if f.Content == nil {
			return last - rank(f.Path, before)
		}
		return rank(f.Path, after)
	}
	sort.SliceStable(list, func(i, j int) bool { return turn(list[i]) < turn(list[j]) })
}

const last = 10

// rank is how many kinds of objects an object's own stands on.
func rank(path string, t topology.Topology) int {
	kind, name := filepath.Base(filepath.Dir(path)), strings.TrimSuffix(filepath.Base(path), ".json")
	if kind == kinds()[0] {
		return 0
	}
	if c, err := t.Container(name); err == nil && kind == kinds()[1] && c.Share != "" {
		return 2
	}
	return 1
}

// changes are the files that come from was to is.
func changes(was, is map[string]any) ([]store.File, error) {
	var list []store.File
	for path, v := range is {
		now, err := encode(v)
		if err != nil {
			return nil, err
		}
		if old, ok := was[path]; ok {
			if before, err := encode(old); err == nil && string(before) == string(now) {
				continue
			}
		}
		list = append(list, store.File{Path: path, Content: now})
	}
	for path := range was {
		if _, ok := is[path]; !ok {
			list = append(list, store.File{Path: path})
		}
	}
	return list, nil
}

func encode(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	return append(b, '\n'), err
}

// objects maps the path of each object of a topology to what its file says.
func objects(s store.Store, t topology.Topology, only topology.Scope) map[string]any {
	m := make(map[string]any)
	for _, n := range t.Networks {
		if only.Has("network " + n.Name) {
			m[s.Object("networks", n.Name)] = networkFile{version, n}
		}
	}
	for _, c := range t.Containers {
		if only.Has("container " + c.Name) {
			m[s.Object("containers", c.Name)] = containerFile{version, c}
		}
	}
	if len(t.Expect) > 0 {
		m[s.Object("expect", "all")] = expectFile{version, t.Expect}
	}
	return m
}

// ledgers maps the path of each owner's ledger to what it says.
func (e *Engine) ledgers(s state) (map[string]any, error) {
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	owner := s.compile(s.topo).Owner
	byOwner := make(map[string]*ledgerFile)
	for _, f := range s.made {
		o := owner[f.Key()]
		if o == "" { // made for what is not in the topology any more
			o = s.owner[f.Key()]
		}
		if o == "" {
			o = topology.HostOwner
		}
		r, err := e.codec.Encode(f)
		if err != nil {
			return nil, err
		}
		if byOwner[o] == nil {
			byOwner[o] = &ledgerFile{Version: version, Boot: boot, Owner: o}
		}
		byOwner[o].Facts = append(byOwner[o].Facts, r)
	}
	m := make(map[string]any, len(byOwner))
	for o, f := range byOwner {
		m[e.Store.LedgerFile(o)] = *f
	}
	return m, nil
}
