package topology

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cnetlab/cnet/internal/fail"
)

func TestFileRoundTrip(t *testing.T) {
	var topo Topology
	network(t, &topo, NetworkSpec{Name: "lab", IPv6: true})
	network(t, &topo, NetworkSpec{Name: "wire", Driver: PTP})
	container(t, &topo, "web", "lab", "wire")
	must(t, topo.Published("web", []Port{port(t, "8080:80"), port(t, "127.0.0.1:53:53/udp")}, plain{}))
	must(t, topo.AddContainer(ContainerSpec{Name: "side", Share: "web"}, plain{}))
	text, err := topo.Text()
	must(t, err)
	file, err := Parse("lab.yaml", text)
	must(t, err)
	if diff := cmp.Diff(topo, file, addrs); diff != "" {
		t.Errorf("the file reads back otherwise:\n%s\n%s", diff, text)
	}
	var again Topology
	must(t, again.Apply(file, false, plain{}))
	if diff := cmp.Diff(topo, again, addrs); diff != "" {
		t.Errorf("applied elsewhere:\n%s", diff)
	}
	must(t, again.Apply(file, true, plain{}))
	if diff := cmp.Diff(topo, again, addrs); diff != "" {
		t.Errorf("applied twice:\n%s", diff)
	}
}

func TestApplyChangesWhatDiffers(t *testing.T) {
	var topo Topology
	network(t, &topo, NetworkSpec{Name: "lab"})
	container(t, &topo, "web", "lab")
	container(t, &topo, "old", "lab")
	file, err := Parse("f", []byte(`
networks: [{name: lab}]
containers:
- name: web
  networks: [{network: lab, aliases: [www]}]
  publish: ["8080:80"]
- name: new
  networks: [{network: lab}]
`))
	must(t, err)
	must(t, topo.Apply(file, true, plain{}))
	text, err := topo.Text()
	must(t, err)
	for _, want := range []string{"ip: 10.77.0.2\n", "ip: 10.77.0.4\n", "- www", "- 8080:80/tcp"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("missing %q in\n%s", want, text)
		}
	}
	if _, err := topo.Container("old"); err == nil {
		t.Error("prune left container old")
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{"", "empty"},
		{"networks: [", "f:1"},
		{"networks:\n- name: lab\n  colour: red\n", "colour"},
		{"networks:\n- name: lab\n  subnet: 10.77.0.0\n", "f:3"},
		{"networks:\n- name: lab\n- name: lab\n", "two"},
		{"containers:\n- name: a/b\n", "letters"},
		{"containers:\n- name: web\n  publish: [70000]\n", "70000"},
		{"containers: 7\n", "f:1"},
		{"networks: [{name: a}]\n---\nnetworks: [{name: b}]\n", "more than one document"},
		{"\x00", "f"},
	} {
		_, err := Parse("f", []byte(c.text))
		if err == nil || fail.KindOf(err) != fail.Usage || !strings.Contains(err.Error(), c.says) {
			t.Errorf("Parse(%q): %v, want it to say %q", c.text, err, c.says)
		}
	}
}

func TestApplyKeepsWhatTheFileLeavesOpen(t *testing.T) {
	var topo Topology
	network(t, &topo, NetworkSpec{Name: "lab"})
	must(t, topo.AddContainer(ContainerSpec{Name: "web"}, plain{}))
	must(t, topo.Connect("web", AttachSpec{Network: "lab", MAC: "0a:00:00:00:00:09", Interface: "up0"}))
	must(t, topo.AddContainer(ContainerSpec{Name: "box", Netns: "/proc/7/ns/net"}, plain{}))
	before := topo.Clone()
	file, err := Parse("f", []byte(`
networks: [{name: lab, mtu: 1400}]
containers:
- {name: web, networks: [{network: lab}]}
- {name: box, netns: /proc/7/ns/net}
`))
	must(t, err)
	onHost := plain{taken: []Taken{{before.Networks[0].Subnet, "the address of cnet-lab"}}}
	must(t, topo.Apply(file, false, onHost))
	before.Networks[0].MTU = 1400
	if diff := cmp.Diff(before, topo, addrs); diff != "" {
		t.Errorf("more than the MTU changed:\n%s", diff)
	}
}

// TestParseForms reads the same texts in the forms that YAML has for them.
func TestParseForms(t *testing.T) {
	for _, file := range []string{
		"containers:\n- name: web\n  networks:\n  - network: lab\n    ip: 10.9.0.2\n  publish:\n  - 8080:80/tcp\n  - 80:80/tcp\n",
		"containers: [{name: web, networks: [{network: lab, ip: 10.9.0.2}], publish: ['8080:80', 80]}]\n",
		"containers:\n- name: \"web\"\n  networks:\n  - {network: lab, ip: \"10.9.0.2\"}\n  publish: [\n    \"8080:80\", # a comment\n    80]\n",
		"containers:\n- name: >-\n    web\n  networks:\n  - network: &n lab\n    ip: |-\n      10.9.0.2\n  publish:\n  - |-\n    8080:80\n  - 80\n",
		"containers:\n- publish: &p [8080:80/tcp, 80]\n  networks:\n  - network: lab\n    ip: &ip 10.9.0.2\n  name: web\n- name: x\n  publish: *p\n  networks:\n  - network: lab\n    ip: *ip\n",
		"{\"containers\": [{\"name\": \"web\", \"networks\": [{\"network\": \"lab\", \"ip\": \"10.9.0.2\"}], \"publish\": [\"8080:80/tcp\", \"80\"]}]}",
	} {
		topo, err := Parse("f", []byte(file))
		if err != nil {
			t.Errorf("%s\n%v", file, err)
			continue
		}
		for _, c := range topo.Containers {
			got := fmt.Sprint(c.Networks[0].Network, " ", c.Networks[0].IP, " ", c.Publish)
			if want := "lab 10.9.0.2 [8080:80/tcp 80:80/tcp]"; got != want {
				t.Errorf("%s\nis read as %s, not %s", file, got, want)
			}
		}
	}
}
