package topology

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
	"github.com/cnetlab/cnet/pkg/sysctl"
)

// shop is a topology with a network, five containers on it and a service.
func shop(t *testing.T, change func(*Service)) Topology {
	t.Helper()
	var topo Topology
	network(t, &topo, NetworkSpec{Name: "lab"})
	for i := 1; i <= 5; i++ {
		name := fmt.Sprintf("c%d", i)
		container(t, &topo, name, "lab")
		must(t, topo.Label(name, map[string]string{"app": "web", "version": map[bool]string{true: "v1", false: "v2"}[i < 4]}, nil))
	}
	s := Service{Name: "web", Network: "lab", Ports: []ServicePort{{80, 8080, "tcp"}}, Selector: map[string]string{"app": "web"}}
	if change != nil {
		change(&s)
	}
	must(t, topo.AddService(s, plain{}))
	must(t, topo.Check())
	return topo
}

func TestShares(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Service)
		want   string
	}{
		{"alike", nil, "c1 1 c2 1 c3 1 c4 1 c5 1"},
		{"a group's is shared evenly", func(s *Service) { s.Weights = []Weight{{"v1", 95}, {"v2", 5}} }, "c1 38 c2 38 c3 38 c4 3 c5 3"},
		{"a backend's is its own", func(s *Service) { s.Weights = []Weight{{"c1", 50}, {"v1", 20}, {"v2", 30}} }, "c1 10 c2 2 c3 2 c4 3 c5 3"},
		{"who has none gets none", func(s *Service) { s.Weights = []Weight{{"c2", 7}} }, "c1 0 c2 1 c3 0 c4 0 c5 0"},
		{"a group without members", func(s *Service) { s.Weights = []Weight{{"v2", 5}, {"v3", 95}} }, "c1 0 c2 0 c3 0 c4 1 c5 1"},
		{"none at all", func(s *Service) { s.Weights = []Weight{{"v1", 0}} }, "c1 0 c2 0 c3 0 c4 0 c5 0"},
		{"named, not chosen", func(s *Service) { s.Selector, s.Backends = nil, []Backend{{"c4", 0}, {"c2", 9090}} }, "c2:9090 1 c4 1"},
		{"nobody ready", func(s *Service) { s.Check = &Check{Kind: CheckTCP} }, "c1 0 c2 0 c3 0 c4 0 c5 0"},
		{"some ready", func(s *Service) { s.Check, s.Ready = &Check{Kind: CheckTCP}, []string{"c1", "c5"} }, "c1 1 c2 0 c3 0 c4 0 c5 1"},
		{"the ready share their group's", func(s *Service) {
			s.Check, s.Ready, s.Weights = &Check{Kind: CheckTCP}, []string{"c1", "c5"}, []Weight{{"v1", 95}, {"v2", 5}}
		}, "c1 19 c2 0 c3 0 c4 0 c5 1"},
		{"by another label", func(s *Service) { s.GroupBy, s.Weights = "app", []Weight{{"web", 3}} }, "c1 1 c2 1 c3 1 c4 1 c5 1"},
		{"exact, too fine", func(s *Service) { s.Mode, s.Weights = Exact, []Weight{{"c1", 999999}, {"c2", 1}} }, "c1 1000 c2 1 c3 0 c4 0 c5 0"},
		{"by chance, as fine", func(s *Service) { s.Weights = []Weight{{"c1", 999999}, {"c2", 1}} }, "c1 999999 c2 1 c3 0 c4 0 c5 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			topo := shop(t, c.change)
			var words []string
			for _, m := range topo.Members(topo.Services[0]) {
				words = append(words, fmt.Sprintf("%s %d", Backend{m.Container, m.Port}, m.Weight))
			}
			if got := strings.Join(words, " "); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestNameOfBackendAndGroup has c1 and c2 in a group that has the name of another
// backend: the name is the backend's, and counts once.
func TestNameOfBackendAndGroup(t *testing.T) {
	for _, c := range []struct {
		name    string
		set     []Weight
		weights string
		shares  string
	}{
		{"the backend's", []Weight{{"c5", 10}}, "[c5=10 c1=0 c2=0 v1=0 v2=0]", "c1 0 c2 0 c3 0 c4 0 c5 1"},
		{"the others by their names", []Weight{{"c2", 1}, {"c5", 1}, {"v2", 2}}, "[c2=1 c5=1 v2=2 c1=0 v1=0]", "c1 0 c2 1 c3 0 c4 2 c5 1"},
		{"none", nil, "[c1=1 c2=1 v1=1 v2=1 c5=1]", "c1 1 c2 1 c3 1 c4 1 c5 1"},
	} {
		topo := shop(t, func(s *Service) { s.Weights = c.set })
		for _, k := range []string{"c1", "c2", "c5"} {
			must(t, topo.Label(k, map[string]string{"version": "c5"}, nil))
		}
		var shares []string
		for _, m := range topo.Members(topo.Services[0]) {
			shares = append(shares, fmt.Sprint(m.Container, " ", m.Weight))
		}
		if got := strings.Join(shares, " "); got != c.shares {
			t.Errorf("%s: shares %s, want %s", c.name, got, c.shares)
		}
		if got := fmt.Sprint(topo.Weights(topo.Services[0])); got != c.weights {
			t.Errorf("%s: weights %s, want %s", c.name, got, c.weights)
		}
	}
}

func TestMembersComeAndGo(t *testing.T) {
	topo := shop(t, func(s *Service) { s.Backends = []Backend{{"c5", 9000}} })
	members := func() (names string) {
		s, err := topo.Service("web")
		must(t, err)
		must(t, topo.Check())
		for _, m := range topo.Members(*s) {
			names += m.Container + " "
		}
		return names
	}
	for _, step := range []struct {
		do   func() error
		want string
	}{
		{func() error { return nil }, "c1 c2 c3 c4 c5 "},
		{func() error { return topo.RemoveContainer("c1") }, "c2 c3 c4 c5 "},
		{func() error { return topo.Label("c2", nil, []string{"app"}) }, "c3 c4 c5 "},
		{func() error { return topo.Disconnect("c3", "lab") }, "c4 c5 "},
		{func() error { return topo.Label("c5", map[string]string{"app": "other"}, nil) }, "c4 c5 "}, // it is named
		{func() error { return topo.RemoveBackends("web", []string{"c5"}) }, "c4 "},
		{func() error { return topo.AddBackends("web", []Backend{{"c2", 0}}, plain{}) }, "c2 c4 "},
		{func() error {
			return topo.AddContainer(ContainerSpec{Name: "c9", Labels: map[string]string{"app": "web"}, Networks: []AttachSpec{{Network: "lab"}}}, plain{})
		}, "c2 c4 c9 "},
		{func() error {
			return topo.AddContainer(ContainerSpec{Name: "side", Share: "c4", Labels: map[string]string{"app": "web"}}, plain{})
		}, "c2 c4 c9 side "}, // at the address of c4
		{func() error { return topo.RemoveContainer("c2") }, "c4 c9 side "},
	} {
		must(t, step.do())
		if got := members(); got != step.want {
			t.Errorf("members %q, want %q", got, step.want)
		}
	}
	if s, _ := topo.Service("web"); s.Backends != nil {
		t.Errorf("it names %v still", s.Backends)
	}
}

func TestServiceRefusals(t *testing.T) {
	topo := shop(t, func(s *Service) { s.Publish = []Port{port(t, "8080:80")} })
	network(t, &topo, NetworkSpec{Name: "vault", Internal: true})
	container(t, &topo, "lone")
	container(t, &topo, "aka", "vault")
	topo.Containers[0].Networks[0].Aliases = []string{"hub"} // aka's
	add := func(change func(*Service)) func(*Topology) error {
		return func(t *Topology) error {
			s := Service{Name: "api", Network: "lab", Ports: []ServicePort{{80, 80, "tcp"}}}
			change(&s)
			return t.AddService(s, plain{taken: []Taken{{prefix("192.0.2.0/24"), "the route 192.0.2.0/24 dev eth0"}}})
		}
	}
	vip := func(ip string) func(*Topology) error {
		return add(func(s *Service) { s.VIP, _ = ParseVIP(ip, strings.Contains(ip, ":")) })
	}
	for _, c := range []struct {
		name string
		do   func(*Topology) error
		kind fail.Kind
		says string
	}{
		{"twice", add(func(s *Service) { s.Name = "web" }), fail.Conflict, "there is one"},
		{"a container's name", add(func(s *Service) { s.Name = "c1" }), fail.Conflict, "a container has that name"},
		{"a service's name", func(t *Topology) error { return t.AddContainer(ContainerSpec{Name: "web"}, plain{}) }, fail.Conflict, "a service has that name"},
		{"no network", add(func(s *Service) { s.Network = "" }), fail.Usage, "no network"},
		{"unknown network", add(func(s *Service) { s.Network = "nope" }), fail.NotFound, "no such network"},
		{"no port", add(func(s *Service) { s.Ports = nil }), fail.Usage, "no port"},
		{"a port twice", add(func(s *Service) { s.Ports = append(s.Ports, ServicePort{80, 81, "tcp"}) }), fail.Usage, "twice"},
		{"headless and published", add(func(s *Service) { s.Headless, s.Publish = true, []Port{port(t, "9090:80")} }), fail.Usage, "headless"},
		{"publishes no port of its own", add(func(s *Service) { s.Publish = []Port{port(t, "9090:81")} }), fail.Usage, "no port 81/tcp"},
		{"publishes a range", add(func(s *Service) { s.Publish = []Port{port(t, "9090-9091:80-81")} }), fail.Usage, "port by port"},
		{"published already", add(func(s *Service) { s.Publish = []Port{port(t, "8080:80")} }), fail.Conflict, "service web has published"},
		{"an alias's name", add(func(s *Service) { s.Name, s.Network = "HUB", "vault" }), fail.Conflict, "container aka has that name as an alias in network vault"},
		{"moved to an alias's network", func(t *Topology) error {
			if err := add(func(s *Service) { s.Name = "hub" })(t); err != nil {
				return err
			}
			return t.SetService("hub", plain{}, func(s *Service) error { s.Network = "vault"; return nil })
		}, fail.Conflict, "container aka has that name as an alias in network vault"},
		{"an alias of its name", func(t *Topology) error {
			return t.Connect("lone", AttachSpec{Network: "lab", Aliases: []string{"www", "Web"}})
		}, fail.Conflict, "service web of network lab has that name"},
		{"a container publishes it", func(tt *Topology) error { return tt.Published("c1", []Port{port(t, "8080:80")}, plain{}) }, fail.Conflict, "service web has published"},
		{"published from inside", add(func(s *Service) { s.Network, s.Publish = "vault", []Port{port(t, "9090:80")} }), fail.Conflict, "internal"},
		{"backend of another network", add(func(s *Service) { s.Backends = []Backend{{"lone", 0}} }), fail.Conflict, "not connected"},
		{"unknown backend", add(func(s *Service) { s.Backends = []Backend{{"nope", 0}} }), fail.NotFound, "no such container"},
		{"backend twice", add(func(s *Service) { s.Backends = []Backend{{"c1", 0}, {"c1", 81}} }), fail.Usage, "twice"},
		{"unknown mode", add(func(s *Service) { s.Mode = "best" }), fail.Usage, "no mode"},
		{"affinity of a week", add(func(s *Service) { s.Affinity = 7 * 86400 }), fail.Usage, "out of range"},
		{"two weights", add(func(s *Service) { s.Weights = []Weight{{"v1", 1}, {"v1", 2}} }), fail.Usage, "two weights"},
		{"less than nothing", add(func(s *Service) { s.Weights = []Weight{{"v1", -1}} }), fail.Usage, "weight"},
		{"check of another kind", add(func(s *Service) { s.Check = &Check{Kind: "icmp"} }), fail.Usage, "no such kind"},
		{"check of no path", add(func(s *Service) { s.Check = &Check{Kind: CheckHTTP, Path: "healthz"} }), fail.Usage, "no path"},
		{"check at no time", add(func(s *Service) { s.Check = &Check{Kind: CheckTCP, Every: "soon"} }), fail.Usage, "not a time"},
		{"address of a service", vip("10.76.0.1"), fail.Conflict, "service web"},
		{"address of a network", vip("10.77.0.9"), fail.Conflict, "network lab"},
		{"address of the host", vip("192.0.2.7"), fail.Conflict, "dev eth0"},
		{"loopback", vip("127.0.0.1"), fail.Usage, "loopback"},
		{"network in use", func(t *Topology) error {
			if err := t.RemoveContainer("c1", "c2", "c3", "c4", "c5"); err != nil {
				return err
			}
			return t.RemoveNetwork("lab")
		}, fail.Conflict, "service web is on it"},
		{"backend by its labels", func(t *Topology) error { return t.RemoveBackends("web", []string{"c1"}) }, fail.NotFound, "by its labels"},
		{"no backend", func(t *Topology) error { return t.RemoveBackends("web", []string{"lone"}) }, fail.NotFound, "names no backend"},
		{"unknown service", func(t *Topology) error { return t.RemoveService("nope") }, fail.NotFound, "no such service"},
		{"no check", func(t *Topology) error { return t.SetReady("web", nil) }, fail.Conflict, "no check"},
		{"label of no form", func(t *Topology) error { return t.Label("c1", map[string]string{"a b": "c"}, nil) }, fail.Usage, "letters"},
		{"label that is not there", func(t *Topology) error { return t.Label("c1", nil, []string{"nope"}) }, fail.NotFound, "no label"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, tried := topo.Clone(), topo.Clone()
			err := c.do(&tried)
			if err == nil || fail.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v (kind %d), want kind %d saying %q", err, fail.KindOf(err), c.kind, c.says)
			}
			if diff := cmp.Diff(before, topo, addrs); diff != "" {
				t.Errorf("the original changed:\n%s", diff)
			}
		})
	}
}

func TestAddressesOfServicesAreNotUsedAgainAtOnce(t *testing.T) {
	var topo Topology
	network(t, &topo, NetworkSpec{Name: "lab", IPv6: true})
	add := func(name string) string {
		must(t, topo.AddService(Service{Name: name, Network: "lab", Ports: []ServicePort{{80, 80, "tcp"}}}, plain{taken: []Taken{{prefix("10.76.0.3/32"), "the route"}}}))
		s, _ := topo.Service(name)
		must(t, topo.Check())
		return s.VIP.String() + " " + s.VIP6.String()
	}
	got := []string{add("a"), add("b")}
	must(t, topo.RemoveService("a"))
	got = append(got, add("c"))
	want := []string{"10.76.0.1 fd77:77:76::1", "10.76.0.2 fd77:77:76::2", "10.76.0.4 fd77:77:76::3"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestServicesAreOneChange sees which facts a change breaks and makes: what goes
// on serving stays.
func TestServicesAreOneChange(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*Topology) error
		want string
	}{
		{"weights", func(t *Topology) error {
			return t.SetService("web", plain{}, func(s *Service) error { s.Weights = []Weight{{"v1", 95}, {"v2", 5}}; return nil })
		}, "break nat.balance web-tcp-80, make nat.balance web-tcp-80"},
		{"a joiner", func(t *Topology) error { return t.Label("idle", map[string]string{"app": "web"}, nil) },
			"make bridge.hairpin idle-eth0, break nat.balance web-tcp-80, make nat.endpoint web-tcp-80 idle, make nat.balance web-tcp-80"},
		{"a leaver", func(t *Topology) error { return t.Label("c1", nil, []string{"app"}) },
			"break nat.balance web-tcp-80, break nat.endpoint web-tcp-80 c1, make nat.balance web-tcp-80, break bridge.hairpin c1-eth0"},
		{"published", func(tt *Topology) error {
			return tt.SetService("web", plain{}, func(s *Service) error { s.Publish = []Port{port(t, "203.0.113.2:80:80")}; return nil })
		}, "break nat.balance web-tcp-80, make nat.hook publish, make nat.balance web-tcp-80"},
	} {
		t.Run(c.name, func(t *testing.T) {
			topo := shop(t, nil)
			container(t, &topo, "idle", "lab")
			before := topo.Clone()
			must(t, c.do(&topo))
			var words []string
			for _, s := range fact.Diff(Compile(before).Facts, Compile(topo).Facts).Steps {
				words = append(words, s.String())
			}
			if got := strings.Join(words, ", "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestEndpointsOfUDP has one of two backends not ready: its clients, who would not
// notice, are to go elsewhere, by whichever port they came.
func TestEndpointsOfUDP(t *testing.T) {
	topo := shop(t, func(s *Service) {
		s.Ports, s.Publish = append(s.Ports, ServicePort{53, 53, "udp"}), []Port{port(t, "203.0.113.2:5300:53/udp")}
		s.Check, s.Ready = &Check{Kind: CheckTCP}, []string{"c1", "c3"}
	})
	var got []string
	for _, f := range Compile(topo).Facts {
		if e, ok := f.(nat.Endpoint); ok {
			got = append(got, fmt.Sprint(e.Proto, " ", e.Container, " ", e.Published))
		}
	}
	want := []string{"tcp c1 []", "tcp c2 []", "tcp c3 []", "tcp c4 []", "tcp c5 []", "udp c1 [{203.0.113.2 5300}]", "udp c3 [{203.0.113.2 5300}]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestApplyServicesReserves: who names an address has it, wherever it stands in the file.
func TestApplyServicesReserves(t *testing.T) {
	file, err := Parse("f", []byte(`
networks: [{name: lab}]
services:
- {name: first, network: lab, ports: [80]}
- {name: named, network: lab, ports: [80], vip: 10.76.0.1}
`))
	must(t, err)
	var topo Topology
	must(t, topo.Apply(file, false, plain{}))
	for name, want := range map[string]string{"first": "10.76.0.2", "named": "10.76.0.1"} {
		if s, err := topo.Service(name); err != nil || s.VIP.String() != want {
			t.Errorf("%s has %s, %v; want %s", name, s.VIP, err, want)
		}
	}
}

func TestApplyServices(t *testing.T) {
	file := `
networks: [{name: lab, ipv6: true}]
containers:
- {name: c1, networks: [{network: lab}], labels: {app: web, version: v1}}
- {name: c2, networks: [{network: lab}], labels: {app: web, version: v2}}
services:
- name: web
  network: lab
  ports: [80:8080, 53/udp]
  publish: [8080:80]
  selector: {app: web}
  backends: [c1:81]
  weights: [v1=95, v2=5]
  check: {kind: http}
`
	read := func(text string) Topology {
		t.Helper()
		topo, err := Parse("file", []byte(text))
		must(t, err)
		return topo
	}
	var topo Topology
	must(t, topo.Apply(read(file), true, plain{}))
	must(t, topo.Check())
	must(t, topo.SetReady("web", []string{"c2", "c1", "nobody"}))
	once := topo.Clone()
	must(t, topo.Apply(read(file), true, plain{}))
	if diff := cmp.Diff(once, topo, addrs); diff != "" {
		t.Errorf("applied again:\n%s", diff)
	}
	text, err := topo.Text()
	must(t, err)
	must(t, topo.Apply(read(string(text)), true, plain{}))
	if diff := cmp.Diff(once, topo, addrs); diff != "" {
		t.Errorf("exported and applied:\n%s", diff)
	}
	must(t, topo.Apply(read("networks: [{name: lab, ipv6: true}]\ncontainers: [{name: c1}]\n"), false, plain{}))
	must(t, topo.Check())
	if s, err := topo.Service("web"); err != nil || s.Backends != nil || len(topo.Members(*s)) != 1 {
		t.Errorf("a backend that left the network is one still: %+v, %v", s, err)
	}
	must(t, topo.Apply(read("networks: [{name: lab, ipv6: true}]\n"), true, plain{}))
	if len(topo.Services) > 0 {
		t.Errorf("prune left %v", topo.Services)
	}
}

// The services of an internal network make the host a router, which hears its own
// routers no more unless it is told to.
func TestServiceOfInternalNetworkKeepsUplinks(t *testing.T) {
	var topo Topology
	network(t, &topo, NetworkSpec{Name: "inner", IPv6: true, Internal: true})
	settings := func() (list []string) {
		for _, f := range Compile(topo).Facts {
			if s, ok := f.(sysctl.Setting); ok && (strings.Contains(s.Name, "forward") || strings.Contains(s.Name, "uplink0")) {
				list = append(list, s.Name+"="+s.Value)
			}
		}
		return list
	}
	if got := settings(); got != nil {
		t.Errorf("without a service: %v", got)
	}
	must(t, topo.AddService(Service{Name: "web", Network: "inner", Ports: []ServicePort{{80, 80, "tcp"}}}, plain{}))
	want := []string{"net.ipv4.ip_forward=1", "net.ipv6.conf.uplink0.accept_ra=2", "net.ipv6.conf.all.forwarding=1"}
	if diff := cmp.Diff(want, settings()); diff != "" {
		t.Errorf("with a service (-want +got):\n%s", diff)
	}
}
