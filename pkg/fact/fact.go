package fact

import (
	"context"
	"fmt"
)

// Fact is one sentence about the kernel. Implementations are small value
// structs with JSON tags, so that a fact can be written down and read back
// (see [Codec]); two facts with the same fields are the same fact.
type Fact interface {
	// Key names what the fact is about. Equal keys are the same thing.
	Key() Key
	// Say is the fact as one plain sentence.
	Say() string
	// Why is one line: what breaks without it.
	Why() string
	// Probe looks whether the fact holds. A thing that is missing is no error.
	Probe(context.Context) (Truth, error)
	// Make makes the fact true. What stands in its way is an error, which wraps
	// fs.ErrExist where something of that name is there. A Make that fails
	// leaves things as they were.
	Make(context.Context) error
	// Break makes the fact untrue. Already gone is success.
	Break(context.Context) error
	// Commands are the commands that do the same by hand, in order.
	Commands(Verb) []Command
}

// Nested is a fact that goes by itself when another goes: an address goes with
// its link, a link with its namespace. A plan that breaks any of the facts
// named by Within does not break this one; it only says that it goes too.
type Nested interface {
	Fact
	Within() []Key
}

// Dependent is a fact that cannot stay as it is when another is broken and made
// anew: a rule ends with the chain that it stands in. It is then made anew too.
type Dependent interface {
	Fact
	Needs() []Key
}

// Rememberer is a fact that replaces a value which was there before, and puts
// it back when it is broken. Remember looks at the kernel and returns a copy of
// the fact that holds the value found. It is called before anything is changed.
type Rememberer interface {
	Fact
	Remember(context.Context) (Fact, error)
}

// Batched is a fact that the kernel can make together with others of its kind
// in one transaction. Neighbours in a plan whose Batch is equal are handed to
// MakeAll or BreakAll of the first of them, which acts on all or on none.
type Batched interface {
	Fact
	Batch() string
	MakeAll(context.Context, []Fact) error
	BreakAll(context.Context, []Fact) error
}

// Mender is a fact that can be set right in place where its probe says
// [Mendable], so that what lives in the thing goes on: a cable whose MTU was
// changed need not be unplugged.
type Mender interface {
	Fact
	Mend(context.Context) error
}

// Needy is a fact that needs more of the host than a kernel. Ready says what is
// missing; it is asked before anything is changed, once for all facts of the
// same Need.
type Needy interface {
	Fact
	Need() string
	Ready() error
}

// Creator is a fact that brings something of its name into being. What is there
// already by that name is another's: it is not made over and never broken.
type Creator interface {
	Fact
	Creates()
}

// Key names what a fact is about.
type Key struct {
	Kind  string `json:"kind"`            // the kind of fact: "veth.pair"
	Netns string `json:"netns,omitempty"` // path of the network namespace; empty is the host's
	Name  string `json:"name"`            // the thing: a link, an address on a link, a rule
}

// String is the key on one line, for messages and sorting.
func (k Key) String() string {
	if k.Netns == "" {
		return k.Kind + " " + k.Name
	}
	return fmt.Sprintf("%s %s (in %s)", k.Kind, k.Name, k.Netns)
}

// Verb is what is to be done with a fact.
type Verb int

const (
	Make  Verb = iota // make it true
	Break             // make it untrue
	Show              // look at it
	Mend              // set it right in place
)

func (v Verb) String() string {
	switch v {
	case Make:
		return "make"
	case Break:
		return "break"
	case Show:
		return "show"
	case Mend:
		return "mend"
	}
	return fmt.Sprintf("verb(%d)", int(v))
}

// State is the outcome of a probe.
type State int

const (
	Absent  State = iota // the thing is not there
	Holds                // the fact is true
	Differs              // the thing is there but is not as the fact says
)

func (s State) String() string {
	switch s {
	case Absent:
		return "absent"
	case Holds:
		return "holds"
	case Differs:
		return "differs"
	}
	return fmt.Sprintf("state(%d)", int(s))
}

// Truth is what a probe saw.
type Truth struct {
	State   State
	Diff    string // when State is Differs: "mtu is 1400, not 1500"
	InPlace bool   // the difference can be mended in place, by a [Mender]
}

// True is the truth of a fact that holds.
func True() Truth { return Truth{State: Holds} }

// False is the truth of a fact whose thing is not there.
func False() Truth { return Truth{State: Absent} }

// Other is the truth of a thing that is there but differs, in the words of format.
func Other(format string, args ...any) Truth {
	return Truth{State: Differs, Diff: fmt.Sprintf(format, args...)}
}

// Mendable is as [Other], of a difference that a [Mender] can set right in place.
func Mendable(format string, args ...any) Truth {
	t := Other(format, args...)
	t.InPlace = true
	return t
}

// When is True if ok, else False.
func When(ok bool) Truth {
	if ok {
		return True()
	}
	return False()
}
