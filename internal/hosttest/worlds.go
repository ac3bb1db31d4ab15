package hosttest

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/google/go-cmp/cmp"
)

// TwoWorlds tests, inside a sandbox, that facts are made and broken just as
// their printed commands do it. World A has the facts made and broken; in
// world B `sh -e` runs the commands. Both must end alike, hold by Probe, and
// both must afterwards be as they were before.
func TwoWorlds(t *testing.T, facts ...fact.Fact) {
	t.Helper()
	ctx, done := netns.Keep(context.Background())
	defer done()
	for _, f := range facts {
		legible(t, f)
	}
	before := Snapshot(t)
	facts = remember(t, ctx, facts)
	held := make([]bool, len(facts))
	for i, f := range facts {
		held[i] = state(t, ctx, f).State == fact.Holds
	}
	makeAll(t, ctx, facts)
	made := Snapshot(t)
	breakAll(t, ctx, facts)
	breakAll(t, ctx, facts) // already gone is success
	for i, f := range facts {
		if truth := state(t, ctx, f); !held[i] && truth.State == fact.Holds {
			t.Errorf("%s: holds though it was broken", f.Key())
		}
	}
	same(t, "the world after all was broken differs from before", before, Snapshot(t))

	Sh(t, script(facts, fact.Make))
	same(t, "the commands make another world than the facts", made, Snapshot(t))
	allHold(t, ctx, facts)
	Sh(t, script(facts, fact.Break))
	same(t, "the commands leave another world than there was", before, Snapshot(t))
}

// TwoMends tests, inside a sandbox, that a fact which a script spoils is set
// right in place alike by Mend and by its printed commands. It must be one that
// stands; the script can be run twice.
func TwoMends(t *testing.T, f fact.Fact, spoil string) {
	t.Helper()
	ctx := context.Background()
	m, ok := f.(fact.Mender)
	if !ok {
		t.Fatalf("%s: its probe says that it can be mended in place, and it cannot", f.Key())
	}
	worlds := make([]string, 2)
	for i := range worlds {
		Sh(t, spoil)
		if truth := state(t, ctx, f); truth.State != fact.Differs || !truth.InPlace {
			t.Fatalf("%s: after %q: %v", f.Key(), spoil, truth)
		}
		if i == 1 {
			var b strings.Builder
			for _, c := range f.Commands(fact.Mend) {
				b.WriteString(c.String() + "\n")
			}
			Sh(t, b.String())
		} else if err := m.Mend(ctx); err != nil {
			t.Fatalf("%s: mend: %v", f.Key(), err)
		}
		allHold(t, ctx, []fact.Fact{f})
		worlds[i] = Snapshot(t)
	}
	same(t, "the commands mend "+f.Key().String()+" otherwise than the fact after "+spoil, worlds[0], worlds[1])
}

// legible tests that a fact can be said, and written down and read back.
func legible(t *testing.T, f fact.Fact) {
	t.Helper()
	for _, sentence := range []string{f.Say(), f.Why()} {
		if !strings.HasSuffix(sentence, ".") {
			t.Errorf("%s: %q is no sentence", f.Key(), sentence)
		}
	}
	if len(f.Commands(fact.Show)) == 0 {
		t.Errorf("%s: no command shows it", f.Key())
	}
	raw, err := json.Marshal(f)
	if err != nil {
		t.Fatalf("%s: %v", f.Key(), err)
	}
	back := reflect.New(reflect.TypeOf(f))
	if err := json.Unmarshal(raw, back.Interface()); err != nil {
		t.Fatalf("%s: %v", f.Key(), err)
	}
	if !reflect.DeepEqual(back.Elem().Interface(), f) {
		t.Errorf("%s: read back from %s as %v", f.Key(), raw, back.Elem())
	}
}

func remember(t *testing.T, ctx context.Context, facts []fact.Fact) []fact.Fact {
	t.Helper()
	found := make([]fact.Fact, len(facts))
	for i, f := range facts {
		found[i] = f
		if r, ok := f.(fact.Rememberer); ok {
			var err error
			if found[i], err = r.Remember(ctx); err != nil {
				t.Fatalf("%s: remember: %v", f.Key(), err)
			}
		}
	}
	return found
}

func makeAll(t *testing.T, ctx context.Context, facts []fact.Fact) {
	t.Helper()
	do(t, ctx, fact.Diff(nil, facts).Steps)
	allHold(t, ctx, facts)
}

func breakAll(t *testing.T, ctx context.Context, facts []fact.Fact) {
	t.Helper()
	steps := make([]fact.Step, len(facts))
	for i, f := range facts {
		steps[len(facts)-1-i] = fact.Step{Verb: fact.Break, Fact: f}
	}
	do(t, ctx, steps)
}

// do runs steps as a plan is run, neighbours that can go together in one batch.
func do(t *testing.T, ctx context.Context, steps []fact.Step) {
	t.Helper()
	if _, err := fact.Run(ctx, steps, fact.Observer{}); err != nil {
		t.Fatal(err)
	}
}

func allHold(t *testing.T, ctx context.Context, facts []fact.Fact) {
	t.Helper()
	for _, f := range facts {
		if truth := state(t, ctx, f); truth.State != fact.Holds {
			t.Errorf("%s: %s %s after it was made", f.Key(), truth.State, truth.Diff)
		}
	}
}

func state(t *testing.T, ctx context.Context, f fact.Fact) fact.Truth {
	t.Helper()
	truth, err := f.Probe(ctx)
	if err != nil {
		t.Fatalf("%s: probe: %v", f.Key(), err)
	}
	return truth
}

// script is the commands of all facts, to break them in reverse order.
func script(facts []fact.Fact, v fact.Verb) string {
	var b strings.Builder
	for i := range facts {
		f := facts[i]
		if v == fact.Break {
			f = facts[len(facts)-1-i]
		}
		for _, c := range f.Commands(v) {
			b.WriteString(c.String() + "\n")
		}
	}
	return b.String()
}

func same(t *testing.T, what, want, got string) {
	t.Helper()
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
		t.Fatalf("%s:\n%s", what, diff)
	}
}
