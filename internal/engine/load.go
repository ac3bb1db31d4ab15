package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cnetlab/cnet/internal/fail"
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
	read  map[string][]byte   // the files of the ledger, by path
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

type serviceFile struct {
	Version int              `json:"version"`
	Service topology.Service `json:"service"`
}

type edgeFile struct {
	Version int           `json:"version"`
	Edge    topology.Edge `json:"edge"`
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
func kinds() []string { return []string{"networks", "containers", "services", "edge", "expect"} }

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
	case "services":
		var f serviceFile
		if err := decode(path, data, &f, &f.Version); err != nil {
			return err
		}
		t.Services = append(t.Services, f.Service)
		return isNamed(path, f.Service.Name)
	case "edge":
		var f edgeFile
		err := decode(path, data, &f, &f.Version)
		t.Edge = &f.Edge
		return err
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
	s := state{owner: make(map[fact.Key]string), only: only, read: make(map[string][]byte)}
	boot, err := bootID()
	if err != nil {
		return s, err
	}
	err = e.Store.Ledgers(only, func(path string, data []byte) error {
		s.read[path] = data
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
