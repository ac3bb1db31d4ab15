package topology

import (
	"strings"
	"testing"

	"github.com/cnetlab/cnet/pkg/netns"
)

// A container asks the gateway of the network by which it leaves, or of the
// first that answers; where none does, whom the host asks.
func TestResolvConf(t *testing.T) {
	var topo Topology
	network(t, &topo, NetworkSpec{Name: "inner", Subnet: "10.1.0.0/24", Internal: true})
	network(t, &topo, NetworkSpec{Name: "lab", Subnet: "10.2.0.0/24"})
	network(t, &topo, NetworkSpec{Name: "mute", Subnet: "10.3.0.0/24", NoDNS: true})
	for name, networks := range map[string]string{"both": "inner lab", "in": "inner", "still": "mute", "half": "mute inner", "alone": ""} {
		s := ContainerSpec{Name: name}
		for _, n := range strings.Fields(networks) {
			s.Networks = append(s.Networks, AttachSpec{Network: n})
		}
		must(t, topo.AddContainer(s, plain{}))
	}
	must(t, topo.AddContainer(ContainerSpec{Name: "side", Share: "both"}, plain{}))
	topo.each(func(c *Container) { c.Nameservers, c.Search = []string{"192.0.2.1"}, []string{"example.org"} })

	const own = "nameserver 192.0.2.1\nsearch example.org\n"
	got := make(map[string]string)
	for _, f := range Compile(topo).Facts {
		if f, ok := f.(netns.File); ok && strings.HasSuffix(f.Path, "/resolv.conf") {
			_, text, _ := strings.Cut(f.Content, "\n")
			got[strings.Split(f.Path, "/")[3]] = text
		}
	}
	for name, want := range map[string]string{
		"both":  "nameserver 10.2.0.1\nsearch cnet example.org\n",
		"side":  "nameserver 10.2.0.1\nsearch cnet example.org\n",
		"in":    "nameserver 10.1.0.1\nsearch cnet example.org\n",
		"half":  "nameserver 10.1.0.1\nsearch cnet example.org\n",
		"still": own,
		"alone": own,
	} {
		if got[name] != want {
			t.Errorf("%s has %q, want %q", name, got[name], want)
		}
	}
}

// Who shares a namespace asks another when its network stops to answer.
func TestTouchedByNames(t *testing.T) {
	var before Topology
	network(t, &before, NetworkSpec{Name: "lab", Subnet: "10.2.0.0/24"})
	must(t, before.AddContainer(ContainerSpec{Name: "web", Networks: []AttachSpec{{Network: "lab"}}}, plain{}))
	must(t, before.AddContainer(ContainerSpec{Name: "side", Share: "web"}, plain{}))
	after := before.Clone()
	after.Networks[0].DNS = new(bool)
	if s := Touched(before, after); !s["container side"] {
		t.Errorf("touched: %v", s)
	}
}
