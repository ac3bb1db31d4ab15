package topology

import (
	"encoding/json"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cnetlab/cnet/internal/fail"
)

func FuzzCheckName(f *testing.F) {
	for _, s := range []string{"web", "a-b", "..", "a/b", "cnet", "localhost", strings.Repeat("x", 63), "x\n", "ä"} {
		f.Add(s, "eth0")
	}
	f.Fuzz(func(t *testing.T, name, link string) {
		if err := CheckName("container", name); err != nil {
			usage(t, err)
			return
		}
		if name == "" || len(name) > 63 || filepath.Dir(NetnsPath(name)) != "/run/netns" || strings.ContainsAny(name, " \n\x00") {
			t.Errorf("%q is let in", name)
		}
		for _, l := range []string{BridgeName(name), ptpName(name, name), CableName(name, link)} {
			if len(l) > linkMax {
				t.Errorf("link %q is too long", l)
			}
		}
		if checkLink(link) == nil && !hostLinkForm(CableName(name, link)) {
			t.Errorf("the kernel takes no link %q", CableName(name, link))
		}
	})
}

func FuzzParsePort(f *testing.F) {
	for _, s := range []string{"80", "127.0.0.1:8000-8010:9000-9010/udp", "[::1]:1:2/sctp", "1-65535", "65535:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePort(s)
		if err != nil {
			usage(t, err)
			return
		}
		if again, err := ParsePort(p.String()); err != nil || again != p {
			t.Errorf("%q reads as %v, whose text reads as %v, %v", s, p, again, err)
		}
		if p.Host == 0 || p.HostEnd < p.Host || p.To == 0 || p.ToEnd() < p.To || !p.Overlaps(p) {
			t.Errorf("%q reads as %+v", s, p)
		}
	})
}

func FuzzSubnet(f *testing.F) {
	for _, s := range []string{"10.77.0.0/24", "10.0.0.0/8", "192.168.7.0/30", "fd00::/64", "fd00::/112", "10.0.0.0/08", "::ffff:1.2.3.0/120"} {
		f.Add(s, "")
	}
	f.Add("10.77.0.0/24", "10.77.0.9")
	f.Fuzz(func(t *testing.T, subnet, gateway string) {
		s := NetworkSpec{Name: "lab", Subnet: subnet, Gateway: gateway, ICC: true}
		if p, err := netip.ParsePrefix(subnet); err == nil && p.Addr().Is6() {
			s = NetworkSpec{Name: "lab", Subnet6: subnet, Gateway6: gateway, ICC: true}
		}
		var topo Topology
		if err := topo.AddNetwork(s, plain{}); err != nil {
			usage(t, err)
			return
		}
		whole(t, topo)
		must(t, topo.AddContainer(ContainerSpec{Name: "web"}, plain{}))
		must(t, topo.Connect("web", AttachSpec{Network: "lab"}))
		whole(t, topo)
	})
}

func FuzzConnect(f *testing.F) {
	f.Add("10.77.0.9", "fd77:77:77::9", "0a:00:00:00:00:09", "eth7", "www")
	f.Add("10.77.0.255", "fe80::1%eth0", "01:00:5e:00:00:01", "lo", "a b")
	f.Add("", "", "0A-00-00-00-00-09", "", "")
	f.Fuzz(func(t *testing.T, ip, ip6, mac, link, alias string) {
		var topo Topology
		must(t, topo.AddNetwork(NetworkSpec{Name: "lab", IPv6: true, ICC: true}, plain{}))
		container(t, &topo, "web")
		s := AttachSpec{Network: "lab", IP: ip, IP6: ip6, MAC: mac, Interface: link}
		if alias != "" {
			s.Aliases = []string{alias}
		}
		if err := topo.Connect("web", s); err != nil {
			usage(t, err)
			return
		}
		whole(t, topo)
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("networks:\n- name: lab\n  subnet: 10.77.0.0/24\ncontainers:\n- name: web\n  publish: [8080:80]\n"))
	f.Add([]byte("networks: [{name: a, ipv6: true, driver: ptp, icc: false}, {name: b, internal: true, mtu: 1400}]\n" +
		"containers:\n- {name: x, networks: [{network: a, ip: 10.77.0.9, aliases: [y], mac: '0a:00:00:00:00:01'}, {network: b}], publish: ['127.0.0.1:1-2:3-4/udp']}\n" +
		"- {name: p, share: x, nameservers: [192.0.2.1], search: [example.org]}\n"))
	f.Add([]byte("networks: [{name: a}]\ncontainers: [{name: x, stack: w, networks: [{network: a}]}, {name: w, share: p}, {name: p, share: x}]\n"))
	f.Add([]byte("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nnetworks: *c\n"))
	f.Add([]byte(`{"networks":[{"name":"lab","ra_uplinks":["eth0"]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("f", data)
		if err != nil {
			usage(t, err)
			return
		}
		var topo Topology
		if err := topo.Apply(file, true, plain{}); err != nil {
			return
		}
		whole(t, topo)
		again := topo.Clone()
		must(t, again.Apply(file, true, plain{}))
		if diff := cmp.Diff(topo.portable(), again.portable(), addrs, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("applied twice:\n%s", diff)
		}
	})
}

// FuzzVerbs does what the bytes say with a few names, and looks at each state.
func FuzzVerbs(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0, 0, 2, 0, 0, 4, 0, 0, 5, 0, 0, 3, 0, 0, 6, 0, 0})
	f.Add([]byte{0, 9, 1, 1, 5, 2, 2, 5, 9, 4, 5, 77, 1, 7, 1, 7, 7, 5})
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 120 {
			return
		}
		var topo Topology
		for ; len(script) >= 3; script = script[3:] {
			next := topo.Clone()
			if err := verb(&next, script[0], int(script[1]), int(script[2])); err != nil {
				if fail.KindOf(err) == fail.Failed {
					t.Error(err)
				}
				continue
			}
			topo = next
			whole(t, topo)
		}
	})
}

func verb(t *Topology, op byte, x, y int) error {
	net, name := "n"+strconv.Itoa(y%3), "c"+strconv.Itoa(x%4)
	switch op % 8 {
	case 0:
		return t.AddNetwork(NetworkSpec{
			Name: net, IPv6: x&1 != 0, Internal: x&2 != 0, ICC: x&4 == 0,
			Driver: []string{"", PTP}[x>>3&1], AllowOverlap: x&16 != 0, Subnet: []string{"", "10.77.0.0/24", "10.9.0.0/29"}[x>>5%3],
		}, plain{})
	case 1:
		return t.AddContainer(ContainerSpec{Name: name, Share: []string{"", "c0", "c1", "c2"}[y%4]}, plain{})
	case 2:
		return t.Connect(name, AttachSpec{Network: net})
	case 3:
		return t.Disconnect(name, net)
	case 4:
		p, err := ParsePort([]string{"80", "79-81:1-3", "127.0.0.1:80:80", "[::]:81:81", "80/udp"}[y%5])
		if err != nil {
			return err
		}
		return t.Published(name, []Port{p}, plain{})
	case 5:
		return t.Unpublished(name, nil)
	case 6:
		return t.RemoveContainer(name)
	}
	return t.RemoveNetwork(net)
}

// usage: what a user typed is refused in words of ours, on one line.
func usage(t *testing.T, err error) {
	t.Helper()
	if k := fail.KindOf(err); k == fail.Failed || strings.ContainsAny(err.Error(), "\x00\x1b\r") {
		t.Errorf("kind %d: %q", k, err)
	}
}

// whole: a topology has no fault, compiles, and is the same after a file of
// either kind.
func whole(t *testing.T, topo Topology) {
	t.Helper()
	must(t, topo.Check())
	for _, fact := range Compile(topo).Facts {
		if fact.Say() == "" || fact.Why() == "" {
			t.Errorf("%s says nothing", fact.Key())
		}
		fact.Commands(0)
	}
	text, err := topo.Text()
	must(t, err)
	file, err := Parse("f", text)
	must(t, err)
	if diff := cmp.Diff(topo.portable(), file.portable(), addrs, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("exported and read:\n%s\n%s", diff, text)
	}
	raw, err := json.Marshal(topo)
	must(t, err)
	var back Topology
	must(t, json.Unmarshal(raw, &back))
	if diff := cmp.Diff(topo, back, addrs, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("written and read:\n%s", diff)
	}
}
