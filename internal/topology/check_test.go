package topology

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cnetlab/cnet/internal/fail"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name   string
		spoil  func(*Topology)
		object string
		says   string
	}{
		{"nothing", func(*Topology) {}, "", ""},
		{"the network is gone", func(t *Topology) { t.Networks = t.Networks[1:] }, "db", "no such network"},
		{"two of a name", func(t *Topology) { t.Networks = append(t.Networks, t.Networks[1]) }, "wire", "two have this one"},
		{"two in a subnet", func(t *Topology) {
			t.Networks[1].Subnet, t.Networks[1].Gateway = t.Networks[0].Subnet, t.Networks[0].Gateway
		}, "wire", "overlaps"},
		{"no subnet", func(t *Topology) { t.Networks[0].Subnet = Network{}.Subnet }, "lab", "no IPv4 subnet"},
		{"a gateway elsewhere", func(t *Topology) { t.Networks[0].Gateway = t.Networks[1].Gateway }, "lab", "not in"},
		{"IPv6 without a subnet", func(t *Topology) { t.Networks[1].IPv6 = true }, "wire", "contradict"},
		{"a link of the host with a path", func(t *Topology) { t.Networks[0].RAUplinks = []string{".."} }, "lab", "no link"},
		{"an address twice", func(t *Topology) { t.Containers[1].Networks[0].IP = t.Containers[0].Networks[0].IP }, "web", "has it"},
		{"a link twice", func(t *Topology) {
			t.Containers[1].Networks = append(t.Containers[1].Networks, Attachment{Network: "wire", Interface: "eth0"})
		}, "web", "two links"},
		{"a MAC of another form", func(t *Topology) { t.Containers[0].Networks[0].MAC = "0A-77-0A-4D-00-02" }, "db", "as cnet writes it"},
		{"two default routes", func(t *Topology) {
			_ = t.Connect("web", AttachSpec{Network: "wire"})
			t.Containers[1].Networks[1].DefaultRoute = t.Containers[1].Networks[0].DefaultRoute
		}, "web", "2 default routes"},
		{"ports without a network", func(t *Topology) { t.Containers[1].Networks = nil }, "web", "not connected"},
		{"a port twice", func(t *Topology) { t.Containers[0].Publish = t.Containers[1].Publish }, "web", "container db publishes"},
		{"a pod of nobody", func(t *Topology) { t.Containers[0] = Container{Name: "db", Share: "x"} }, "db", "no such container"},
		{"a pod of itself", func(t *Topology) { t.Containers[0] = Container{Name: "db", Share: "db"} }, "db", "itself shares"},
		{"a pod of a pod's", func(t *Topology) {
			t.Containers = append(t.Containers, Container{Name: "x", Share: "web"}, Container{Name: "y", Share: "x"})
		}, "y", "itself shares that of web"},
		{"a stack of another's name", func(t *Topology) { t.Containers[0].Stack = "web" }, "db", "name of another container"},
		{"a stack twice", func(t *Topology) { t.Containers[0].Stack, t.Containers[1].Stack = "pod", "pod" }, "web", "another container holds"},
		{"a stack held and shared", func(t *Topology) {
			t.Containers = append(t.Containers, Container{Name: "x", Share: "web", Stack: "pod"})
		}, "x", "shares a stack and has"},
		{"a relative namespace", func(t *Topology) { t.Containers[0].Netns = "../x" }, "db", "absolute path"},
		{"a resolver in two lines", func(t *Topology) { t.Containers[0].Search = []string{"a\nnameserver"} }, "db", "not a domain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var topo Topology
			network(t, &topo, NetworkSpec{Name: "lab", IPv6: true})
			network(t, &topo, NetworkSpec{Name: "wire", Driver: PTP})
			container(t, &topo, "db", "lab")
			container(t, &topo, "web", "lab")
			must(t, topo.Published("web", []Port{port(t, "8080:80")}, plain{}))
			c.spoil(&topo)
			err := topo.Check()
			var f *Fault
			switch {
			case c.object == "":
				must(t, err)
			case !errors.As(err, &f) || f.Name != c.object || !strings.Contains(err.Error(), c.says):
				t.Errorf("got %v, want a fault of %s that says %q", err, c.object, c.says)
			}
		})
	}
}

func TestNamespacesHaveAbsolutePaths(t *testing.T) {
	err := new(Topology).AddContainer(ContainerSpec{Name: "web", Netns: "ns/web"}, plain{})
	if fail.KindOf(err) != fail.Usage {
		t.Errorf("a relative path: %v", err)
	}
}

// BenchmarkCheck has what every command that reads the topology pays.
func BenchmarkCheck(b *testing.B) {
	var topo Topology
	for i := 0; i < 200; i++ {
		if err := topo.AddNetwork(NetworkSpec{Name: fmt.Sprintf("n%03d", i), ICC: true}, plain{}); err != nil {
			b.Fatal(err)
		}
	}
	for i := 0; i < 1000; i++ {
		name := fmt.Sprintf("c%04d", i)
		p := Port{Host: uint16(1000 + i), HostEnd: uint16(1000 + i), To: 80, Proto: "tcp"}
		err := errors.Join(
			topo.AddContainer(ContainerSpec{Name: name}, plain{}),
			topo.Connect(name, AttachSpec{Network: fmt.Sprintf("n%03d", i%200)}),
			topo.Published(name, []Port{p}, plain{}))
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		if err := topo.Check(); err != nil {
			b.Fatal(err)
		}
	}
}
