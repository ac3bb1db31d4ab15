package topology

import (
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/pkg/route"
)

// plain is a host with one uplink and nothing else that matters. It is data,
// the answers of some host, and stands for none of the code under test.
type plain struct {
	taken    []Taken
	listener string
	noFilter bool
}

func (h plain) Taken() ([]Taken, error)       { return h.taken, nil }
func (plain) MTU() (int, error)               { return 1500, nil }
func (plain) Firewall(string) (string, error) { return "iptables", nil }
func (h plain) BridgeFilter() bool            { return !h.noFilter }
func (plain) RAUplinks() ([]string, error)    { return []string{"uplink0"}, nil }
func (plain) Resolvers() ([]string, []string) { return []string{"192.0.2.53"}, []string{"example.org"} }
func (h plain) Listener(p []Port, _ []netip.AddrPort) (at Port, by string, err error) {
	if len(p) > 0 {
		at, by = p[0], h.listener
	}
	return at, by, nil
}
func (plain) IPv6() error { return nil }
func (plain) Namespace(path string) (NamespaceID, error) {
	return NamespaceID{Inode: uint64(crc32.ChecksumIEEE([]byte(path))), Boot: "a-boot"}, nil
}
func (plain) Exists(path string) bool  { return path == "/run/netns/foreign" }
func prefix(s string) netip.Prefix     { return netip.MustParsePrefix(s) }
func port(t *testing.T, s string) Port { t.Helper(); p, err := ParsePort(s); must(t, err); return p }
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
func network(t *testing.T, topo *Topology, s NetworkSpec) {
	t.Helper()
	s.ICC = true
	must(t, topo.AddNetwork(s, plain{}))
}

func container(t *testing.T, topo *Topology, name string, networks ...string) {
	t.Helper()
	must(t, topo.AddContainer(ContainerSpec{Name: name}, plain{}))
	for _, n := range networks {
		must(t, topo.Connect(name, AttachSpec{Network: n}))
	}
}

func TestNextFit(t *testing.T) {
	var topo Topology
	network(t, &topo, NetworkSpec{Name: "lab", Subnet: "10.9.0.0/29"})
	var got []string
	add := func(name string) {
		container(t, &topo, name, "lab")
		c, _ := topo.Container(name)
		got = append(got, c.Networks[0].IP.String())
	}
	add("a")
	add("b")
	must(t, topo.RemoveContainer("a"))
	add("c")
	add("d")
	add("e")
	add("f") // wraps round to the address that a had
	want := []string{"10.9.0.2", "10.9.0.3", "10.9.0.4", "10.9.0.5", "10.9.0.6", "10.9.0.2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
	must(t, topo.AddContainer(ContainerSpec{Name: "g"}, plain{}))
	if err := topo.Connect("g", AttachSpec{Network: "lab"}); fail.KindOf(err) != fail.Conflict {
		t.Errorf("a full subnet: %v, want a conflict", err)
	}
}

func TestSubnetsOfThePoolAvoidTheHost(t *testing.T) {
	h := plain{taken: []Taken{
		{prefix("0.0.0.0/0"), "the default route"}, {prefix("0.0.0.0/1"), "a VPN"},
		{prefix("10.77.0.0/23"), "the route 10.77.0.0/23 dev tun0"},
	}}
	var topo Topology
	for i, want := range []string{"10.77.2.0/24", "10.77.3.0/24"} {
		must(t, topo.AddNetwork(NetworkSpec{Name: fmt.Sprintf("n%d", i), ICC: true}, h))
		if got := topo.Networks[i].Subnet.String(); got != want {
			t.Errorf("network %d: %s, want %s", i, got, want)
		}
	}
	err := topo.AddNetwork(NetworkSpec{Name: "x", Subnet: "10.77.1.0/24", ICC: true}, h)
	if fail.KindOf(err) != fail.Conflict || !strings.Contains(err.Error(), "dev tun0") {
		t.Errorf("overlap: %v, want a conflict that names the route", err)
	}
}

func TestRefusals(t *testing.T) {
	var topo Topology
	network(t, &topo, NetworkSpec{Name: "lab", IPv6: true})
	network(t, &topo, NetworkSpec{Name: "four"})
	must(t, topo.AddNetwork(NetworkSpec{Name: "vault", Internal: true, ICC: true}, plain{}))
	container(t, &topo, "web", "lab")
	container(t, &topo, "db", "four")
	container(t, &topo, "safe", "vault")
	container(t, &topo, "bare")
	must(t, topo.AddContainer(ContainerSpec{Name: "side", Share: "web"}, plain{}))
	must(t, topo.Published("web", []Port{port(t, "8080:80")}, plain{}))
	yes := true
	for _, c := range []struct {
		name string
		do   func(*Topology) error
		kind fail.Kind
		says string
	}{
		{"twice", func(t *Topology) error { return t.AddContainer(ContainerSpec{Name: "web"}, plain{}) }, fail.Conflict, "there is one"},
		{"foreign namespace", func(t *Topology) error { return t.AddContainer(ContainerSpec{Name: "foreign"}, plain{}) }, fail.Conflict, "did not make it"},
		{"connect a pod twice", func(t *Topology) error { return t.Connect("side", AttachSpec{Network: "lab"}) }, fail.Conflict, "already"},
		{"share and connect", func(t *Topology) error {
			return t.AddContainer(ContainerSpec{Name: "x", Share: "web", Networks: []AttachSpec{{Network: "four"}}}, plain{})
		}, fail.Usage, "shares the stack of web"},
		{"name of a stack that lives", func(t *Topology) error {
			return errors.Join(t.RemoveContainer("web"), t.AddContainer(ContainerSpec{Name: "web"}, plain{}))
		}, fail.Conflict, "lives on: container side"},
		{"stack of another", func(t *Topology) error { return t.AddContainer(ContainerSpec{Name: "x", Stack: "web"}, plain{}) }, fail.Conflict, "container of its name"},
		{"connect twice", func(t *Topology) error { return t.Connect("web", AttachSpec{Network: "lab"}) }, fail.Conflict, "already"},
		{"unknown network", func(t *Topology) error { return t.Connect("bare", AttachSpec{Network: "nope"}) }, fail.NotFound, "no such"},
		{"address of another", func(t *Topology) error { return t.Connect("bare", AttachSpec{Network: "lab", IP: "10.77.0.2"}) }, fail.Conflict, "web"},
		{"gateway's address", func(t *Topology) error { return t.Connect("bare", AttachSpec{Network: "lab", IP: "10.77.0.1"}) }, fail.Conflict, "gateway"},
		{"outside the subnet", func(t *Topology) error { return t.Connect("bare", AttachSpec{Network: "lab", IP: "10.78.0.9"}) }, fail.Usage, "not in"},
		{"broadcast", func(t *Topology) error { return t.Connect("bare", AttachSpec{Network: "lab", IP: "10.77.0.255"}) }, fail.Usage, "broadcast"},
		{"no IPv6 here", func(t *Topology) error { return t.Connect("bare", AttachSpec{Network: "four", IP6: "fd77::9"}) }, fail.Usage, "no IPv6"},
		{"multicast MAC", func(t *Topology) error {
			return t.Connect("bare", AttachSpec{Network: "lab", MAC: "01:00:5e:00:00:01"})
		}, fail.Usage, "multicast"},
		{"link name", func(t *Topology) error { return t.Connect("bare", AttachSpec{Network: "lab", Interface: "a/b"}) }, fail.Usage, "1 to 15"},
		{"link lo", func(t *Topology) error { return t.Connect("bare", AttachSpec{Network: "lab", Interface: "lo"}) }, fail.Usage, "kernel"},
		{"second default route", func(t *Topology) error { return t.Connect("web", AttachSpec{Network: "four", DefaultRoute: &yes}) }, fail.Conflict, "leads by"},
		{"route out of internal", func(t *Topology) error { return t.Connect("bare", AttachSpec{Network: "vault", DefaultRoute: &yes}) }, fail.Usage, "internal"},
		{"network in use", func(t *Topology) error { return t.RemoveNetwork("lab") }, fail.Conflict, "web is connected"},
		{"port of another", func(tt *Topology) error { return tt.Published("db", []Port{port(t, "8080:81")}, plain{}) }, fail.Conflict, "web has published"},
		{"port of a process", func(tt *Topology) error {
			return tt.Published("db", []Port{port(t, "9090")}, plain{listener: "nginx (pid 7)"})
		}, fail.Conflict, "nginx"},
		{"port without a network", func(tt *Topology) error { return tt.Published("bare", []Port{port(t, "9090")}, plain{}) }, fail.Conflict, "not connected"},
		{"port of an internal network", func(tt *Topology) error { return tt.Published("safe", []Port{port(t, "9090")}, plain{}) }, fail.Conflict, "internal"},
		{"IPv6 port without IPv6", func(tt *Topology) error { return tt.Published("db", []Port{port(t, "[::1]:9090:80")}, plain{}) }, fail.Conflict, "no IPv6"},
		{"unpublish the unknown", func(tt *Topology) error { return tt.Unpublished("web", []Port{port(t, "9")}) }, fail.NotFound, "not published"},
		{"disconnect which", func(t *Topology) error { return t.Disconnect("bare", "") }, fail.NotFound, "not connected"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := topo.Clone()
			tried := topo.Clone()
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

var addrs = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

func TestLinkNamesAreShortAndApart(t *testing.T) {
	seen := make(map[string]string)
	for _, c := range []string{"web", "a", "a-b", "cnet-x", "container-0001", "container-0002", strings.Repeat("x", 63)} {
		for _, l := range []string{"eth0", "eth1", "b-eth0", "eth_0"} {
			name := CableName(c, l)
			if len(name) > 15 || seen[name] != "" {
				t.Errorf("%s/%s: %q is too long or is that of %s", c, l, name, seen[name])
			}
			if strings.HasPrefix(name, "cnet") {
				t.Errorf("%s/%s: %q would match %s in a rule", c, l, name, AllLinks)
			}
			seen[name] = c + "/" + l
		}
	}
	for _, n := range []string{"lab", "ten-letter", "eleven-char", strings.Repeat("n", 63)} {
		if name := BridgeName(n); len(name) > 15 || !strings.HasPrefix(name, "cnet") {
			t.Errorf("bridge of %s: %q", n, name)
		}
	}
}

func TestABridgeIsFull(t *testing.T) {
	var topo Topology
	network(t, &topo, NetworkSpec{Name: "lab", Subnet: "10.64.0.0/16"})
	for i := 0; i < maxPorts; i++ {
		container(t, &topo, fmt.Sprintf("c%d", i), "lab")
	}
	must(t, topo.AddContainer(ContainerSpec{Name: "more"}, plain{}))
	if err := topo.Connect("more", AttachSpec{Network: "lab"}); fail.KindOf(err) != fail.Conflict {
		t.Errorf("one port too many: %v, want a conflict", err)
	}
}

func TestWhatLeavesIsNoLargerThanTheUplink(t *testing.T) {
	for _, c := range []struct {
		name  string
		spec  NetworkSpec
		mtu   int
		leave int // 0: the network has no route out
	}{
		{"as the uplink", NetworkSpec{}, 1500, 1500},
		{"smaller", NetworkSpec{MTU: 1400}, 1400, 1400},
		{"larger", NetworkSpec{MTU: 9000}, 9000, 1500},
		{"jumbo", NetworkSpec{MTU: JumboMTU, Driver: PTP, IPv6: true}, 65535, 1500},
		{"internal", NetworkSpec{MTU: JumboMTU, Internal: true}, 65535, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var topo Topology
			c.spec.Name = "lab"
			network(t, &topo, c.spec)
			container(t, &topo, "web", "lab")
			must(t, topo.Check())
			if n := topo.Networks[0]; n.MTU != c.mtu || c.leave != 0 && n.Leaving() != c.leave {
				t.Errorf("MTU %d, leaving %d; want %d, %d", n.MTU, n.Leaving(), c.mtu, c.leave)
			}
			routes := 0
			for _, f := range Compile(topo).Facts {
				if r, ok := f.(route.Route); ok && r.Via.IsValid() && r.Dst.Bits() == 0 {
					routes++
					if got := r.MTU; got != 0 && got != c.leave || got == 0 && c.leave != c.mtu {
						t.Errorf("%s: want %d", r.Say(), c.leave)
					}
				} else if ok && r.MTU != 0 {
					t.Errorf("%s: want the link's MTU", r.Say())
				}
			}
			if (routes == 0) != (c.leave == 0) {
				t.Errorf("%d default routes", routes)
			}
			whole(t, topo)
			file := topo.portable()
			must(t, topo.Apply(file, true, plain{}))
			if diff := cmp.Diff(file, topo.portable(), addrs); diff != "" {
				t.Errorf("applied again:\n%s", diff)
			}
		})
	}
	bad := Topology{Networks: []Network{{
		Name: "lab", Driver: Bridge, Firewall: "iptables", MTU: 9000, RouteMTU: 9001,
		Subnet: prefix("10.77.0.0/24"), Gateway: netip.MustParseAddr("10.77.0.1"),
	}}}
	if err := bad.Check(); err == nil || !strings.Contains(err.Error(), "route_mtu") {
		t.Errorf("a route_mtu above the mtu: %v", err)
	}
}

func TestTheDefaultRouteMovesOn(t *testing.T) {
	var topo Topology
	network(t, &topo, NetworkSpec{Name: "lab"})
	network(t, &topo, NetworkSpec{Name: "vault", Internal: true})
	network(t, &topo, NetworkSpec{Name: "wire", Driver: PTP})
	container(t, &topo, "web", "lab", "vault", "wire")
	must(t, topo.Disconnect("web", "lab"))
	web, err := topo.Container("web")
	must(t, err)
	if m := web.Main(); m.Network != "wire" || !m.Leads() {
		t.Errorf("the default route leads by %s (%v), want wire", m.Network, m.Leads())
	}
	must(t, topo.Disconnect("web", "wire"))
	if web.Main().Leads() {
		t.Error("a default route leads into an internal network")
	}
}
