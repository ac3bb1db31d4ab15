package topology

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseTarget(t *testing.T) {
	for text, want := range map[string]Target{
		"db":          {Name: "db"},
		"db/udp":      {Name: "db", Proto: "udp"},
		"db:5432":     {Name: "db", Port: 5432, Proto: "tcp"},
		"host:53/udp": {Name: "host", Port: 53, Proto: "udp"},
		"outside":     {Name: "outside"},
	} {
		got, err := ParseTarget(text)
		must(t, err)
		if got != want {
			t.Errorf("%s is %+v, not %+v", text, got, want)
		}
		if again, err := ParseTarget(got.String()); err != nil || again != got {
			t.Errorf("%s reads back as %+v: %v", got, again, err)
		}
	}
	for text, why := range map[string]string{
		"":             "not the name of a container",
		"a/b":          "the protocol b is not",
		"db:80/sctp":   "the protocol sctp is not",
		"db:":          "is not a port",
		"db:0":         "is not a port",
		"db:80-90":     "is not a port number",
		"db:80/":       `the protocol "" is not`,
		"host":         "a port of the host is missing",
		"10.77.0.2:80": "not the name of a container",
	} {
		if _, err := ParseTarget(text); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, not %s", text, err, why)
		}
	}
}

func TestExpectations(t *testing.T) {
	var topo Topology
	network(t, &topo, NetworkSpec{Name: "lab"})
	container(t, &topo, "web", "lab")
	container(t, &topo, "db", "lab")
	apply := func(text string, prune bool) error {
		file, err := Parse("f", []byte(text))
		must(t, err)
		return topo.Apply(file, prune, plain{})
	}
	for text, why := range map[string]string{
		"expect: [{to: web}]":                                              "says from whom",
		"expect: [{from: web}]":                                            "says from whom",
		"expect: [{from: nobody, to: web}]":                                "there is no container nobody",
		"expect: [{from: web, to: nobody}]":                                "there is no container nobody",
		"expect: [{from: outside, to: outside}]":                           "nothing to do with cnet",
		"expect: [{from: db, to: web}, {from: db, to: web, reach: false}]": "there twice",
	} {
		before := topo.Clone()
		if err := apply(text, false); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, not %s", text, err, why)
		}
		topo = before
	}
	must(t, apply("expect: [{from: web, to: db}, {from: outside, to: 'host:80', reach: false}]", false))
	must(t, apply("networks: [{name: lab}]", false))
	if len(topo.Expect) != 2 || topo.Expect[1].Reaches() {
		t.Errorf("a file without expectations changed them: %v", topo.Expect)
	}
	must(t, topo.RemoveContainer("db"))
	if diff := cmp.Diff("[outside to host:80/tcp]", say(topo.Expect)); diff != "" {
		t.Errorf("db is gone:\n%s", diff)
	}
	must(t, apply("networks: [{name: lab}]\ncontainers: [{name: web}]", true))
	if topo.Expect != nil {
		t.Errorf("pruned, and left: %v", topo.Expect)
	}
}

func say(list []Expectation) string {
	var words []string
	for _, e := range list {
		words = append(words, e.String())
	}
	return "[" + strings.Join(words, ", ") + "]"
}
