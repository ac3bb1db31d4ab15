package engine

import (
	"encoding/json"
	"sort"
	"testing"

	"github.com/cnetlab/cnet/internal/store"
)

// values are what a field may hold that it should not.
var values = []string{
	`""`, `null`, `0`, `-1`, `1e99`, `true`, `[]`, `{}`, `"web"`, `"db"`, `"lab"`, `"../x"`, `"10.77.0.1"`, `"10.77.0.255"`, `"10.77.0.3"`,
	`"::1"`, `"::ffff:10.77.0.2/120"`, `"10.77.0.0/33"`, `"0.0.0.0/0"`, `"fd77::/64"`, `"00:00:00:00:00:00"`, `"80"`, `"1-65535"`, `"ptp"`,
}

// FuzzStateValue puts one value in the place of another, in a file that is sound.
func FuzzStateValue(f *testing.F) {
	dir := f.TempDir()
	e := &Engine{Store: store.Store{State: dir, Run: dir + "/run"}, codec: Codec()}
	files := []struct{ path, text string }{
		{e.Store.Object("networks", "lab"), labFile}, {e.Store.Object("containers", "web"), webFile}, {e.Store.Object("containers", "db"), dbFile},
	}
	for i, file := range files {
		for leaf := 0; leaf < leaves(f, file.text); leaf++ {
			f.Add(uint8(i), uint8(leaf), values[(7*leaf+i)%len(values)])
		}
	}
	f.Fuzz(func(t *testing.T, which, leaf uint8, value string) {
		for _, file := range files {
			put(t, file.path, []byte(file.text))
		}
		file := files[int(which)%len(files)]
		put(t, file.path, swapped(t, file.text, int(leaf), value))
		topo, err := e.Topology()
		if err != nil {
			refusal(t, err, dir)
			return
		}
		compiles(t, topo)
	})
}

// FuzzLedgerValue does the same to a ledger: what its facts say then may be
// wrong, but they say it.
func FuzzLedgerValue(f *testing.F) {
	e, dir := ledgerOf(f)
	files, err := e.ledgers(seed(f, e))
	if err != nil {
		f.Fatal(err)
	}
	var paths []string
	for path := range files {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	var texts []string
	for i, path := range paths {
		text, err := encode(files[path])
		if err != nil {
			f.Fatal(err)
		}
		texts = append(texts, string(text))
		for leaf := 0; leaf < leaves(f, texts[i]); leaf++ {
			f.Add(uint8(i), uint16(leaf), values[leaf%len(values)])
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, leaf uint16, value string) {
		i := int(which) % len(texts)
		put(t, paths[i], swapped(t, texts[i], int(leaf), value))
		defer put(t, paths[i], []byte(texts[i]))
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

// swapped is a JSON document whose nth value is another: value as JSON, or as text.
func swapped(t testing.TB, text string, n int, value string) []byte {
	t.Helper()
	var doc, with any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	if json.Unmarshal([]byte(value), &with) != nil {
		with = value
	}
	n %= leaves(t, text)
	out, err := json.Marshal(swap(doc, &n, with))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// swap replaces the nth value of a document, counted as they stand; n runs down.
func swap(doc any, n *int, with any) any {
	if *n--; *n == -1 {
		return with
	}
	switch d := doc.(type) {
	case map[string]any:
		keys := make([]string, 0, len(d))
		for k := range d {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			d[k] = swap(d[k], n, with)
		}
	case []any:
		for i := range d {
			d[i] = swap(d[i], n, with)
		}
	}
	return doc
}

// leaves counts the values of a document.
func leaves(t testing.TB, text string) int {
	t.Helper()
	var doc any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	n := 1 << 30
	swap(doc, &n, nil)
	return 1<<30 - n
}
