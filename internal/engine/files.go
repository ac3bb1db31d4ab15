package engine

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"reflect"
	"sort"
	"strings"

	"github.com/cnetlab/cnet/internal/store"
	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/fact"
)

// files returns the files that differ between two states, the first as it was read.
func (e *Engine) files(before, after state) ([]store.File, error) {
	was, is := objects(e.Store, before.topo, before.only), objects(e.Store, after.topo, after.only)
	list, err := changes(was, is)
	if err != nil {
		return nil, err
	}
	ledgers, err := e.ledgers(after)
	if err != nil {
		return nil, err
	}
	for path, text := range ledgers {
		if !bytes.Equal(before.read[path], text) {
			list = append(list, store.File{Path: path, Content: text})
		}
	}
	for path := range before.read {
		if ledgers[path] == nil {
			list = append(list, store.File{Path: path})
		}
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
	switch kind {
	case kinds()[2]:
		return 3
	case kinds()[3]: // the edge, which names services
		return 4
	}
	return 1
}

// changes are the files that come from was to is.
func changes(was, is map[string]any) ([]store.File, error) {
	var list []store.File
	for path, v := range is {
		if reflect.DeepEqual(was[path], v) {
			continue
		}
		text, err := encode(v)
		if err != nil {
			return nil, err
		}
		list = append(list, store.File{Path: path, Content: text})
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
	for _, v := range t.Services {
		if only.Has("service " + v.Name) {
			m[s.Object("services", v.Name)] = serviceFile{version, v}
		}
	}
	if t.Edge != nil {
		m[s.Object("edge", "all")] = edgeFile{version, *t.Edge}
	}
	if len(t.Expect) > 0 {
		m[s.Object("expect", "all")] = expectFile{version, t.Expect}
	}
	return m
}

// ledgers maps the path of each owner's ledger to what it says.
func (e *Engine) ledgers(s state) (map[string][]byte, error) {
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	owner := s.compile(s.topo).Owner
	byOwner := make(map[string][]fact.Record)
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
		byOwner[o] = append(byOwner[o], r)
	}
	m := make(map[string][]byte, len(byOwner))
	for o, facts := range byOwner {
		if m[e.Store.LedgerFile(o)], err = encodeLedger(ledgerFile{version, boot, o, facts}); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// encodeLedger writes a ledger with a line for each fact.
func encodeLedger(f ledgerFile) ([]byte, error) {
	facts := f.Facts
	f.Facts = []fact.Record{}
	head, err := encode(f)
	if err != nil {
		return nil, err
	}
	b := bytes.NewBuffer(bytes.TrimSuffix(head, []byte("]\n}\n")))
	for i, r := range facts {
		line, err := json.Marshal(r)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n    ")
		b.Write(line)
	}
	b.WriteString("\n  ]\n}\n")
	return b.Bytes(), nil
}
