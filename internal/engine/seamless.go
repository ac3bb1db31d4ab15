package engine

import (
	"slices"

	"github.com/cnetlab/cnet/pkg/fact"
)

// seamless has rules that are broken and made anew, such as those that share out
// the connections to a service, go and come at once: nobody meets the kernel
// without them. Who is led to is there before, and goes after it. A plan that takes
// away and brings at the same time stays as it is: names may be used again.
func seamless(p fact.Plan) fact.Plan {
	var rules, others verbs
	for _, s := range p.Steps {
		if _, ok := s.Fact.(fact.Exchanger); ok {
			rules.add(s)
		} else {
			others.add(s)
		}
	}
	exchange := append(rules.breaks, rules.makes...)
	switch {
	case !rules.turn(), others.turn(), len(others.makes) > 0 && removes(others.breaks):
		return p
	case len(others.makes) > 0:
		p.Steps = append(append(others.makes, exchange...), others.breaks...)
	default:
		p.Steps = append(exchange, others.breaks...)
	}
	return p
}

// verbs are steps, those that break and those that make apart.
type verbs struct{ breaks, makes []fact.Step }

func (v *verbs) add(s fact.Step) {
	if s.Verb == fact.Break {
		v.breaks = append(v.breaks, s)
	} else {
		v.makes = append(v.makes, s)
	}
}

// turn reports whether anything is broken and made anew.
func (v verbs) turn() bool {
	made := make(map[fact.Key]bool, len(v.makes))
	for _, s := range v.makes {
		made[s.Fact.Key()] = true
	}
	return slices.ContainsFunc(v.breaks, func(s fact.Step) bool { return made[s.Fact.Key()] })
}

// removes reports whether steps take anything out of being, and not only change it.
func removes(steps []fact.Step) bool {
	for _, s := range steps {
		if _, ok := s.Fact.(fact.Creator); ok {
			return true
		}
	}
	return false
}
