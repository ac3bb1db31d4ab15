package topology

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cnetlab/cnet/pkg/nat"
)

// TestPortsReadAsTheLibraryReadsThem holds the short way to the long one.
func TestPortsReadAsTheLibraryReadsThem(t *testing.T) {
	for _, text := range []string{
		`["8080:80/tcp", "127.0.0.1:53:53/udp"]`, "[\n  \"8080:80/tcp\",\n\t\"[fd77::1]:7000-7009:80-89/sctp\"\n]", `[]`, ` [ ] `, `null`,
		`["\u0038080:80"]`, `["80", "\u0038080:80", "81"]`, `["80\/udp"]`, `["8080:80/tcp" , "9"]`,
		`["x"]`, `[80]`, `[["80"]]`, `{}`, `"80"`, `[""]`, `["80\""]`, `["]"]`,
	} {
		var short Ports
		var long []Port
		err, want := json.Unmarshal([]byte(text), &short), json.Unmarshal([]byte(text), &long)
		if diff := cmp.Diff(long, []Port(short), cmp.Comparer(func(a, b Port) bool { return a == b })); (err == nil) != (want == nil) || err == nil && diff != "" {
			t.Errorf("%s: %v, want %v\n%s", text, err, want, diff)
		}
	}
}

// TestPortsOverNames spares the gateways' own port of what takes it: ports of TCP
// and UDP at every address.
func TestPortsOverNames(t *testing.T) {
	for text, want := range map[string]int{"53": 1, "50-60:50-60/udp": 1, "53/sctp": 0, "127.0.0.1:53:53/udp": 0, "54/udp": 0} {
		var topo Topology
		network(t, &topo, NetworkSpec{Name: "lab"})
		container(t, &topo, "web", "lab")
		must(t, topo.Published("web", []Port{port(t, text)}, plain{}))
		got := 0
		for _, f := range Compile(topo).Facts {
			if _, ok := f.(nat.Spare); ok {
				got++
			}
		}
		if got != want {
			t.Errorf("%s: %d spared, want %d", text, got, want)
		}
	}
}
