package topology

import (
	"fmt"
	"strings"

	"github.com/cnetlab/cnet/internal/fail"
)

// Places of an expectation that are no containers.
const (
	TheHost    = "host"    // this machine
	TheOutside = "outside" // a neighbour of the host, who has routes to the containers
)

// Expectation is what a user says of who reaches whom, beyond what cnet
// promises. cnet verify proves it; it changes nothing.
type Expectation struct {
	From  string `json:"from" yaml:"from"` // a container, host or outside
	To    Target `json:"to" yaml:"to"`
	Reach *bool  `json:"reach,omitempty" yaml:"reach"` // nil is true
}

// Reaches reports whether an answer is expected.
func (e Expectation) Reaches() bool { return e.Reach == nil || *e.Reach }

func (e Expectation) String() string {
	return fmt.Sprintf("%s to %s", e.From, e.To)
}

// Target is whom an expectation is about. Its text form is
// NAME[:PORT][/tcp|udp], where NAME is a container, host or outside.
type Target struct {
	Name  string
	Port  uint16 // 0 is any port
	Proto string // tcp or udp; "" is both, of any port
}

// ParseTarget reads the text form. A port without a protocol is of TCP.
func ParseTarget(s string) (Target, error) {
	bad := func(format string, args ...any) (Target, error) {
		return Target{}, fail.New(fail.Usage, "to "+quote(s), format, args...).Try("to: db, to: db:5432 or to: host:53/udp")
	}
	rest, proto, hasProto := strings.Cut(s, "/")
	name, digits, hasPort := strings.Cut(rest, ":")
	t := Target{Name: name, Proto: proto}
	if hasProto && proto != "tcp" && proto != "udp" {
		return bad("the protocol %s is not tcp or udp", quote(proto))
	}
	if err := CheckName("container", name); err != nil {
		return bad("%s is not the name of a container, nor host or outside", quote(name))
	}
	if !hasPort {
		if name == TheHost {
			return bad("a port of the host is missing")
		}
		return t, nil
	}
	var err error
	if t.Port, err = parsePort(digits); err != nil {
		return bad("%w", err)
	}
	if !hasProto {
		t.Proto = "tcp"
	}
	return t, nil
}

func (t Target) String() string {
	s := t.Name
	if t.Port != 0 {
		s += fmt.Sprintf(":%d", t.Port)
	}
	if t.Proto != "" {
		s += "/" + t.Proto
	}
	return s
}

// MarshalText makes a target its text form in JSON and YAML.
func (t Target) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads the text form.
func (t *Target) UnmarshalText(text []byte) (err error) {
	*t, err = ParseTarget(string(text))
	return err
}

// applyExpect takes the expectations of a file. A file without any leaves them
// as they are or, with prune, takes them out.
func (t *Topology) applyExpect(file Topology, prune bool) error {
	if file.Expect != nil || prune {
		t.Expect = file.Expect
	}
	seen := make(map[string]bool, len(t.Expect))
	for _, e := range t.Expect {
		if err := t.checkExpect(e); err != nil {
			return err
		}
		if seen[e.String()] {
			return fail.New(fail.Usage, "expectation "+e.String(), "it is there twice")
		}
		seen[e.String()] = true
	}
	return nil
}

func (t *Topology) checkExpect(e Expectation) error {
	what := fmt.Sprintf("expectation %s to %s", quote(e.From), quote(e.To.String()))
	if e.From == "" || e.To.Name == "" {
		return fail.New(fail.Usage, what, "it says from whom and to whom").Try("{from: web, to: db:5432, reach: true}")
	}
	if e.From == TheOutside && e.To.Name == TheOutside {
		return fail.New(fail.Usage, what, "what is outside has nothing to do with cnet")
	}
	for _, name := range []string{e.From, e.To.Name} {
		if name == TheHost || name == TheOutside {
			continue
		}
		if _, err := t.Container(name); err != nil {
			return fail.New(fail.NotFound, what, "there is no container %s", quote(name)).Try("cnet list")
		}
	}
	return nil
}

// forgetExpect takes out the expectations that are about containers that are gone.
func (t *Topology) forgetExpect(gone map[string]bool) {
	var rest []Expectation
	for _, e := range t.Expect {
		if !gone[e.From] && !gone[e.To.Name] {
			rest = append(rest, e)
		}
	}
	t.Expect = rest
}
