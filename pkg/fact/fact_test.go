package fact_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cnetlab/cnet/pkg/fact"
)

// note is a fact about a map that stands for a kernel.
type note struct {
	Name  string     `json:"name"`
	Value string     `json:"value,omitempty"`
	Of    []fact.Key `json:"of,omitempty"`
}

func (n note) Key() fact.Key                             { return fact.Key{Kind: "note", Name: n.Name} }
func (n note) Say() string                               { return n.Name + " is noted." }
func (n note) Why() string                               { return "It would be forgotten." }
func (n note) Within() []fact.Key                        { return n.Of }
func (n note) Commands(fact.Verb) []fact.Command         { return nil }
func (n note) Probe(context.Context) (fact.Truth, error) { return fact.True(), nil }
func (n note) Make(ctx context.Context) error            { return record(ctx, "make", n) }
func (n note) Break(ctx context.Context) error           { return record(ctx, "break", n) }

// memo is a note that remembers what was there before.
type memo struct {
	note
	Found string `json:"found,omitempty"`
}

func (m memo) Remember(context.Context) (fact.Fact, error) { m.Found = "before"; return m, nil }

// leaf is a note that goes with its neighbours in one batch.
type leaf struct{ note }

func (leaf) Batch() string { return "leaves" }
func (leaf) MakeAll(ctx context.Context, all []fact.Fact) error {
	return record(ctx, fmt.Sprintf("make %d at once:", len(all)), all[0])
}
func (leaf) BreakAll(ctx context.Context, all []fact.Fact) error {
	return record(ctx, fmt.Sprintf("break %d at once:", len(all)), all[0])
}

// swap is a leaf of which some can go while others come.
type swap struct{ leaf }

func (swap) Exchange(ctx context.Context, gone, come []fact.Fact) error {
	return record(ctx, fmt.Sprintf("break %d and make %d at once:", len(gone), len(come)), gone[0])
}

type logKey struct{}

func record(ctx context.Context, verb string, f fact.Fact) error {
	log := ctx.Value(logKey{}).(*[]string)
	*log = append(*log, verb+" "+f.Key().Name)
	if f.Key().Name == "bad" {
		return errors.New("it is bad")
	}
	return nil
}

func named(names string, of ...fact.Key) []fact.Fact {
	var list []fact.Fact
	for _, n := range strings.Fields(names) {
		list = append(list, note{Name: n, Of: of})
	}
	return list
}

func steps(p fact.Plan) string {
	var words []string
	for _, s := range p.Steps {
		words = append(words, s.Verb.String()+" "+s.Fact.Key().Name)
	}
	for _, f := range p.Gone {
		words = append(words, "gone "+f.Key().Name)
	}
	return strings.Join(words, ", ")
}

func TestDiff(t *testing.T) {
	a := note{Name: "a"}.Key()
	inA := named("x y", a)
	for _, c := range []struct {
		name         string
		made, wanted []fact.Fact
		anew         []fact.Key
		want         string
	}{
		{"from nothing", nil, named("a b"), nil, "make a, make b"},
		{"to nothing", named("a b"), nil, nil, "break b, break a"},
		{"nothing to do", named("a b"), named("a b"), nil, ""},
		{"broken before made", named("a b c"), named("a b d"), nil, "break c, make d"},
		{"one key, two facts", named("a"), []fact.Fact{note{Name: "a", Value: "new"}}, nil, "break a, make a"},
		{"wanted by two", nil, append(named("a b"), named("a")...), nil, "make a, make b"},
		{"goes with another", append(named("a"), inA...), nil, nil, "break a, gone y, gone x"},
		{"made anew with another", append([]fact.Fact{note{Name: "a", Value: "old"}}, inA...), append(named("a"), inA...), nil,
			"break a, make a, make x, make y, gone y, gone x"},
		{"goes with something else from now on", append(named("a b"), named("x", note{Name: "c"}.Key())...), named("b x"), nil,
			"break x, break a, make x"},
		{"no longer as made", named("a b"), named("a b"), []fact.Key{a}, "break a, make a"},
		{"memory does not count", []fact.Fact{memo{note{Name: "m"}, "0"}}, []fact.Fact{memo{note{Name: "m"}, ""}}, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := steps(fact.Diff(c.made, c.wanted, c.anew...)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestRunBatchesAndStops(t *testing.T) {
	plan := []fact.Step{
		{Verb: fact.Make, Fact: note{Name: "a"}},
		{Verb: fact.Make, Fact: leaf{note{Name: "l1"}}},
		{Verb: fact.Make, Fact: leaf{note{Name: "l2"}}},
		{Verb: fact.Break, Fact: leaf{note{Name: "l3"}}},
		{Verb: fact.Make, Fact: note{Name: "bad"}},
		{Verb: fact.Make, Fact: note{Name: "never"}},
	}
	var log []string
	ctx := context.WithValue(context.Background(), logKey{}, &log)
	done, err := fact.Run(ctx, plan, fact.Observer{})
	want := []string{"make a", "make 2 at once: l1", "break 1 at once: l3", "make bad"}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var failed *fact.StepError
	if !errors.As(err, &failed) || failed.Step.Fact.Key().Name != "bad" || len(done) != 4 {
		t.Errorf("err %v after %d steps, want that of bad after 4", err, len(done))
	}
	log = nil
	if _, err := fact.Run(ctx, fact.Reverse(done), fact.Observer{}); err != nil {
		t.Fatal(err)
	}
	want = []string{"make 1 at once: l3", "break 2 at once: l2", "break a"}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Errorf("reversed (-want +got):\n%s", diff)
	}
}

func TestRunExchanges(t *testing.T) {
	step := func(v fact.Verb, name string) fact.Step {
		return fact.Step{Verb: v, Fact: swap{leaf{note{Name: name}}}}
	}
	plan := []fact.Step{
		step(fact.Break, "a"), step(fact.Break, "b"), step(fact.Make, "c"), step(fact.Break, "d"),
		{Verb: fact.Make, Fact: note{Name: "between"}}, step(fact.Make, "e"),
	}
	var log []string
	ctx := context.WithValue(context.Background(), logKey{}, &log)
	if _, err := fact.Run(ctx, plan, fact.Observer{}); err != nil {
		t.Fatal(err)
	}
	want := []string{"break 2 and make 1 at once: a", "break 1 at once: d", "make between", "make 1 at once: e"}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// slow is a note whose break takes until the test lets it.
type slow struct {
	note
	let <-chan error
}

func (s slow) Break(ctx context.Context) error {
	return fact.Later(ctx, func() error { return <-s.let })
}

func TestLater(t *testing.T) {
	for _, want := range []error{nil, errors.New("in use")} {
		var log []string
		ctx := context.WithValue(context.Background(), logKey{}, &log)
		let := make(chan error, 1)
		last := note{Name: "last"}
		plan := fact.Diff(append([]fact.Fact{last}, slow{note{Name: "slow"}, let}), named("new")).Steps
		done, err := fact.Run(ctx, plan, fact.Observer{After: func(s fact.Step) {
			if s.Fact.Key() == last.Key() {
				let <- want // only now: it must not have been waited for
			}
		}})
		if want == nil {
			if err != nil || len(done) != 3 || strings.Join(log, ", ") != "break last, make new" {
				t.Errorf("done %v, log %q, err %v", done, log, err)
			}
			continue
		}
		var failed *fact.StepError
		if !errors.As(err, &failed) || failed.Step.Fact.Key().Name != "slow" || len(failed.With) != 1 || len(done) != 2 || len(log) != 1 {
			t.Errorf("done %v, log %q, err %v; want that of slow before new is made", done, log, err)
		}
	}
	let := make(chan error, 1)
	let <- errors.New("in use")
	if err := (slow{note{Name: "slow"}, let}).Break(context.Background()); err == nil {
		t.Error("without a run nobody waits")
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	var log []string
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), logKey{}, &log))
	plan := fact.Diff(nil, named("a b c")).Steps
	begun, err := fact.Run(ctx, plan, fact.Observer{After: func(fact.Step) { cancel() }})
	if !errors.Is(err, context.Canceled) || len(begun) != 1 || len(log) != 1 {
		t.Errorf("begun %d, log %v, err %v; want one step and a cancelled context", len(begun), log, err)
	}
}

func TestCodec(t *testing.T) {
	codec := fact.NewCodec([]fact.Kind{fact.KindOf[note]()})
	f := note{Name: "a", Value: "v", Of: []fact.Key{{Kind: "note", Netns: "/run/netns/x", Name: "b"}}}
	r, err := codec.Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back fact.Record
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	got, err := codec.Decode(back)
	if diff := cmp.Diff(fact.Fact(f), got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := codec.Decode(fact.Record{Kind: "other"}); err == nil {
		t.Error("a kind that nobody knows was decoded")
	}
}

func TestQuoteIsWhatAShellReads(t *testing.T) {
	for _, word := range []string{"", "a", "!", "a!b", "a b", "it's", `"`, "$HOME", "`id`", "a\nb", "*", "~", "#x", "a=b", "-n", "\\", "é", "a;b", "{a,b}"} {
		out, err := exec.Command("sh", "-ec", "printf %s "+fact.Quote(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("Quote(%q) = %s, which sh reads as %q (%v)", word, fact.Quote(word), out, err)
		}
	}
}

func FuzzQuote(f *testing.F) {
	f.Add("it's $HOME")
	f.Fuzz(func(t *testing.T, word string) {
		if strings.ContainsRune(word, 0) {
			t.Skip("no argument holds a zero byte")
		}
		out, err := exec.Command("sh", "-ec", "printf %s "+fact.Quote(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("Quote(%q) reads as %q (%v)", word, out, err)
		}
	})
}

// What replaces another of its key is exchanged: late, where it stands on what
// the plan makes, and else early. So there is always one of the two.
func TestDiffExchanges(t *testing.T) {
	note := func(name string, of ...string) note {
		n := note{Name: name}
		for _, o := range of {
			n.Of = append(n.Of, fact.Key{Kind: "note", Name: o})
		}
		return n
	}
	link := func(name string) fact.Fact { return note(name) }
	end := func(name string, of ...string) fact.Fact { return swap{leaf{note(name, of...)}} }
	// balance stands on its ends: of notes that is what they are of.
	balance := func(ends ...string) fact.Fact { return needy{swap{leaf{note("balance")}}, ends} }
	for _, c := range []struct {
		name      string
		made, now []fact.Fact
		want      string
	}{
		{"joins", []fact.Fact{link("l1"), end("e1"), balance("e1")},
			[]fact.Fact{link("l1"), link("l2"), end("e1"), end("e2"), balance("e1", "e2")},
			"make l2, break balance, make e2, make balance"},
		{"leaves", []fact.Fact{link("l1"), link("l2"), end("e1"), end("e2"), balance("e1", "e2")},
			[]fact.Fact{link("l1"), end("e1"), balance("e1")},
			"break balance, break e2, make balance, break l2"},
		{"one joins, one leaves", []fact.Fact{link("l1"), link("l2"), end("e1"), end("e2"), balance("e1", "e2")},
			[]fact.Fact{link("l1"), link("l3"), end("e1"), end("e3"), balance("e1", "e3")},
			"break l2, make l3, break balance, break e2, make e3, make balance"},
		{"an end is replaced too", []fact.Fact{end("e1", "old"), end("e2"), balance("e1", "e2")},
			[]fact.Fact{link("l1"), end("e1", "new"), end("e2"), end("e3"), balance("e1", "e2", "e3")},
			"make l1, break balance, break e1, make e1, make e3, make balance"},
	} {
		if got := steps(fact.Diff(c.made, c.now)); got != c.want {
			t.Errorf("%s: %s\nwant %s", c.name, got, c.want)
		}
	}
}

// needy needs other notes, and does not go with them.
type needy struct {
	swap
	Ends []string
}

func (n needy) Needs() (keys []fact.Key) {
	for _, e := range n.Ends {
		keys = append(keys, fact.Key{Kind: "note", Name: e})
	}
	return keys
}
