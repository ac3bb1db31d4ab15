package topology

import (
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cnetlab/cnet/pkg/fact"
)

// pod is a topology with the pod of web, side and log on a network.
func pod(t *testing.T) (topo Topology) {
	t.Helper()
	network(t, &topo, NetworkSpec{Name: "lab", IPv6: true})
	network(t, &topo, NetworkSpec{Name: "back", Internal: true})
	container(t, &topo, "web", "lab")
	must(t, topo.AddContainer(ContainerSpec{Name: "side", Share: "web"}, plain{}))
	must(t, topo.AddContainer(ContainerSpec{Name: "log", Share: "side"}, plain{}))
	must(t, topo.Connect("log", AttachSpec{Network: "back", Aliases: []string{"store"}}))
	must(t, topo.Published("side", []Port{port(t, "8080:80"), port(t, "53:53/udp")}, plain{}))
	return topo
}

// TestHandOn deletes the members of a pod one after the other. Of the kernel's
// facts none goes before the last, but for each member's own name and files.
func TestHandOn(t *testing.T) {
	topo := pod(t)
	for _, c := range []struct{ gone, holder, own string }{
		{"web", "log", "netns.file /etc/netns/web/hosts, netns.file /etc/netns/web/resolv.conf"},
		{"log", "side", "netns.bind /run/netns/log, netns.file /etc/netns/log/hosts, netns.file /etc/netns/log/resolv.conf"},
	} {
		before := topo.Clone()
		must(t, topo.RemoveContainer(c.gone))
		must(t, topo.Check())
		holder := topo.Holding("web")
		if holder == nil || holder.Name != c.holder {
			t.Fatalf("without %s: %v holds the stack, want %s", c.gone, holder, c.holder)
		}
		plan := fact.Diff(Compile(before).Facts, Compile(topo).Facts)
		if diff := cmp.Diff(c.own, keys(plan)); diff != "" {
			t.Errorf("without %s (-want +got):\n%s", c.gone, diff)
		}
		if owner := Compile(topo).Owner[fact.Key{Kind: "netns.named", Name: "/run/netns/web"}]; owner != "container "+c.holder {
			t.Errorf("without %s: the namespace is owned by %q", c.gone, owner)
		}
	}
	must(t, topo.RemoveContainer("side"))
	if s := topo.Holding("web"); s != nil {
		t.Errorf("container %s holds the stack of a pod that is gone", s.Name)
	}
	container(t, &topo, "web", "lab")
}

func keys(p fact.Plan) string {
	var list []string
	for _, s := range p.Steps {
		list = append(list, s.Fact.Key().String())
	}
	sort.Strings(list)
	return strings.Join(list, ", ")
}

// TestReturn has the first member come back into its stack, by the verb and by a
// file of before: the topology is again what it was.
func TestReturn(t *testing.T) {
	before := pod(t)
	file, err := before.Text()
	must(t, err)
	was, err := Parse("f", file)
	must(t, err)

	joined := before.Clone()
	must(t, joined.RemoveContainer("web"))
	must(t, joined.AddContainer(ContainerSpec{Name: "web", Share: "side"}, plain{}))
	must(t, joined.Check())
	if web, err := joined.Container("web"); err != nil || web.Share != "log" {
		t.Errorf("web came back as %v (%v), want it to share with log", web, err)
	}
	must(t, joined.RemoveContainer("log"))
	if diff := cmp.Diff(before.Containers[2].Networks, joined.Holding("web").Networks, addrs); diff != "" || joined.Holding("web").Name != "web" {
		t.Errorf("%s holds the stack, want web: %s", joined.Holding("web").Name, diff)
	}

	applied := before.Clone()
	must(t, applied.RemoveContainer("web"))
	text, err := applied.Text()
	must(t, err)
	orphan, err := Parse("f", text)
	must(t, err)
	var elsewhere Topology
	must(t, elsewhere.Apply(orphan, false, plain{}))
	if diff := cmp.Diff(applied, elsewhere, addrs); diff != "" {
		t.Errorf("applied elsewhere:\n%s", diff)
	}
	must(t, applied.Apply(was, true, plain{}))
	if diff := cmp.Diff(before, applied, addrs); diff != "" {
		t.Errorf("applied again:\n%s", diff)
	}
}

// TestChain applies a file in which members share with each other.
func TestChain(t *testing.T) {
	file, err := Parse("f", []byte("containers: [{name: a, share: b}, {name: b, share: c}, {name: c}]"))
	must(t, err)
	var topo Topology
	must(t, topo.Apply(file, false, plain{}))
	must(t, topo.Check())
	if diff := cmp.Diff([]string{"a", "b", "c"}, topo.Pod("c")); diff != "" {
		t.Error(diff)
	}
	joins, err := Parse("f", []byte("containers: [{name: c, share: d}, {name: d}]"))
	must(t, err)
	must(t, topo.Apply(joins, false, plain{}))
	must(t, topo.Check())
	if diff := cmp.Diff([]string{"a", "b", "c", "d"}, topo.Pod("d")); diff != "" {
		t.Error(diff)
	}
	circle, err := Parse("f", []byte("containers: [{name: a, share: b}, {name: b, share: a}]"))
	must(t, err)
	if err := topo.Apply(circle, true, plain{}); err == nil {
		t.Error("a circle was applied")
	}
}
