package fact

import (
	"encoding/json"
	"reflect"
	"strings"
)

// Step is one fact to make or to break.
type Step struct {
	Verb Verb
	Fact Fact
}

// String is the step on one line: "make veth.pair web-eth0".
func (s Step) String() string { return s.Verb.String() + " " + s.Fact.Key().String() }

// Plan is what has to happen, in order, to come from the facts that were made
// to the facts that are wanted.
type Plan struct {
	Steps []Step
	// Gone are the facts that end without a step of their own, because
	// what they live in is broken.
	Gone []Fact
}

// Empty reports whether there is nothing to do.
func (p Plan) Empty() bool { return len(p.Steps) == 0 && len(p.Gone) == 0 }

// Diff returns the plan from made to wanted: first what is no longer wanted is
// broken, in reverse order, then what is missing is made, in order. A fact
// whose key is in both lists but whose fields differ is broken and made anew, and
// so are those of the keys in anew, which the kernel no longer has as they were made.
func Diff(made, wanted []Fact, anew ...Key) Plan {
	want := Index(wanted)
	var p Plan
	kept := make(map[Key]bool, len(made))
	broken := make(map[Key]bool)
	for _, k := range anew {
		broken[k] = true
	}
	for _, f := range made {
		if w, ok := want[f.Key()]; ok && Same(f, w) && !broken[f.Key()] {
			kept[f.Key()] = true
		} else {
			broken[f.Key()] = true
		}
	}
	there := Index(made)
	for k, f := range want {
		// What is brought into being is another than what is kept has known.
		if _, ok := f.(Creator); ok && there[k] == nil {
			broken[k] = true
		}
	}
	for _, f := range made {
		// What is kept cannot stand on something broken: it is made anew.
		if kept[f.Key()] && DependsOn(f, broken) {
			delete(kept, f.Key())
			broken[f.Key()] = true
		}
	}
	for i := len(made) - 1; i >= 0; i-- {
		f := made[i]
		switch {
		case kept[f.Key()]:
		case within(f, broken):
			p.Gone = append(p.Gone, f)
		default:
			p.Steps = append(p.Steps, Step{Break, f})
		}
	}
	seen := make(map[Key]bool, len(wanted))
	for _, f := range wanted {
		if k := f.Key(); !kept[k] && !seen[k] {
			seen[k] = true
			p.Steps = append(p.Steps, Step{Make, f})
		}
	}
	p.Steps = exchanging(p.Steps)
	return p
}

// Mending returns p with steps that set right in place those of the facts made
// whose keys are in mend and that p neither breaks nor makes. They stand among
// the facts to be made, in the order of wanted.
func Mending(p Plan, made, wanted []Fact, mend []Key) Plan {
	if len(mend) == 0 {
		return p
	}
	right := make(map[Key]Fact, len(mend))
	there := Index(made)
	for _, k := range mend {
		if f, ok := there[k]; ok {
			right[k] = f
		}
	}
	makes := make(map[Key]bool)
	var steps []Step
	for _, s := range p.Steps {
		delete(right, s.Fact.Key())
		if s.Verb == Make {
			makes[s.Fact.Key()] = true
		} else {
			steps = append(steps, s)
		}
	}
	for _, f := range p.Gone {
		delete(right, f.Key())
	}
	for _, f := range Unique(wanted) {
		k := f.Key()
		if makes[k] {
			steps = append(steps, Step{Make, f})
		} else if made, ok := right[k]; ok {
			steps = append(steps, Step{Mend, made})
		}
	}
	p.Steps = exchanging(steps)
	return p
}

// Reverse returns the plan that takes steps back: the last first, each the
// other way round. What was mended stays: it is as it was meant to be before.
func Reverse(steps []Step) []Step {
	back := make([]Step, 0, len(steps))
	for i := len(steps) - 1; i >= 0; i-- {
		s := steps[i]
		switch s.Verb {
		case Make:
			s.Verb = Break
		case Break:
			s.Verb = Make
		default:
			continue
		}
		back = append(back, s)
	}
	return back
}

// Unique returns facts without the later ones of equal key: what two things
// need is one fact.
func Unique(facts []Fact) []Fact {
	seen := make(map[Key]bool, len(facts))
	out := make([]Fact, 0, len(facts))
	for _, f := range facts {
		if k := f.Key(); !seen[k] {
			seen[k] = true
			out = append(out, f)
		}
	}
	return out
}

// Same reports whether two facts of equal key say the same, what they remember
// of the time before aside.
func Same(a, b Fact) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	_, ra := a.(Rememberer)
	_, rb := b.(Rememberer)
	return ra && rb && a.Key() == b.Key() && sameBut(a, b)
}

// sameBut compares the JSON of two facts without the fields whose names begin
// with "found": by convention they hold what a Rememberer found.
func sameBut(a, b Fact) bool {
	return reflect.DeepEqual(fields(a), fields(b))
}

func fields(f Fact) map[string]any {
	raw, err := json.Marshal(f)
	if err != nil {
		return nil
	}
	m := make(map[string]any)
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil
	}
	for name := range m {
		if strings.HasPrefix(name, "found") {
			delete(m, name)
		}
	}
	return m
}

// Index maps the keys of facts to them; of equal keys, to the first.
func Index(facts []Fact) map[Key]Fact {
	m := make(map[Key]Fact, len(facts))
	for _, f := range facts {
		if _, ok := m[f.Key()]; !ok {
			m[f.Key()] = f
		}
	}
	return m
}

// DependsOn reports whether f goes with one of these, or cannot stand without it.
func DependsOn(f Fact, keys map[Key]bool) bool { return anyOf(StandsOn(f), keys) }

// StandsOn are the keys of the facts that f goes with or cannot stand without.
func StandsOn(f Fact) (keys []Key) {
	if n, ok := f.(Nested); ok {
		keys = append(keys, n.Within()...)
	}
	if d, ok := f.(Dependent); ok {
		keys = append(keys, d.Needs()...)
	}
	return keys
}

func within(f Fact, broken map[Key]bool) bool {
	n, ok := f.(Nested)
	return ok && anyOf(n.Within(), broken)
}

func anyOf(keys []Key, in map[Key]bool) bool {
	for _, k := range keys {
		if in[k] {
			return true
		}
	}
	return false
}
