package verify

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/internal/topology"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the lists of promises anew")

func TestMain(m *testing.M) { hosttest.Main(m) }

// lab is a host with an uplink of both families.
var lab = Host{
	Own:      addrs("203.0.113.2", "2001:db8::2"),
	Gateways: addrs("203.0.113.1", "2001:db8::1"),
	Near:     addrs("198.18.0.1", "fd77:198:18::1"),
	Far:      addrs("198.18.0.2", "fd77:198:18::2"),
}

func addrs(texts ...string) (list []netip.Addr) {
	for _, t := range texts {
		list = append(list, netip.MustParseAddr(t))
	}
	return list
}

// TestDerive compares the promises of each topology in testdata with the list
// beside it. `go test ./internal/verify -update` writes the lists anew.
func TestDerive(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no topologies are here: ", err)
	}
	for _, file := range files {
		list := strings.TrimSuffix(file, ".yaml") + ".txt"
		got := lines(Derive(load(t, file), lab))
		if *update {
			if err := os.WriteFile(list, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
			t.Errorf("%s (- wanted, + derived):\n%s", file, diff)
		}
	}
}

func load(t *testing.T, file string) topology.Topology {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	topo, err := topology.Parse(file, data)
	if err != nil {
		t.Fatal(err)
	}
	topo.Sort()
	return topo
}

func lines(list []Promise) string {
	var b strings.Builder
	for _, p := range list {
		fmt.Fprintln(&b, p)
	}
	return b.String()
}

// A host without an uplink is called by its end of the cable to the outside.
func TestDeriveWithoutUplink(t *testing.T) {
	topo := load(t, "testdata/published.yaml")
	got := lines(Derive(topo, Host{Near: lab.Near, Far: lab.Far}))
	for _, want := range []string{
		"the outside to web's published 8080:80/tcp at 198.18.0.1:8080, seen as 198.18.0.2\n",
		"the outside to web's published 8080:80/tcp at [fd77:198:18::1]:8080, seen as fd77:198:18::2\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("missing %s in\n%s", want, got)
		}
	}
}

// A port that a container listens at is closed to who may not reach it.
func TestDeriveListeners(t *testing.T) {
	h := lab
	h.Listens = map[string][]netip.AddrPort{"web": {
		netip.MustParseAddrPort("[::]:5432"), netip.MustParseAddrPort("127.0.0.1:9999"), netip.MustParseAddrPort("10.77.0.2:7070"),
	}}
	got := lines(Derive(load(t, "testdata/bridge.yaml"), h))
	for text, want := range map[string]bool{
		"the outside to web at 10.77.0.2, tcp port 5432: closed\n": true,
		"stranger to web at 10.77.0.2, tcp port 7070: closed\n":    true,
		"port 9999": false,
	} {
		if strings.Contains(got, text) != want {
			t.Errorf("%q: %v in\n%s", text, !want, got)
		}
	}
}

// In a crowd everybody calls a few and is called by a few.
func TestDeriveCrowd(t *testing.T) {
	const n, most = 100, 2
	topo := topology.Topology{Networks: []topology.Network{{Name: "lab", Driver: topology.Bridge, Gateway: netip.MustParseAddr("10.77.0.1")}}}
	ip := netip.MustParseAddr("10.77.0.2")
	for i := 0; i < n; i++ {
		topo.Containers = append(topo.Containers, topology.Container{
			Name: fmt.Sprintf("c%03d", i), Networks: []topology.Attachment{{Network: "lab", IP: ip}},
		})
		ip = ip.Next()
	}
	calls, called := make(map[string]int), make(map[string]int)
	for _, p := range Derive(topo, lab) {
		if p.Vantage() == "container" && p.Proto == TCP && p.From != p.To && p.To != TheOutside {
			calls[p.From]++
			called[p.To]++
		}
	}
	for i := 0; i < n; i++ {
		if c := fmt.Sprintf("c%03d", i); calls[c] != most || called[c] != most {
			t.Errorf("%s calls %d and is called by %d, not %d", c, calls[c], called[c], most)
		}
	}
}

// A service is answered by those of its backends that are given something; one of
// a pod is where the pod is.
func TestDeriveBackends(t *testing.T) {
	got := make(map[string]string)
	for _, p := range Derive(load(t, "testdata/services.yaml"), lab) {
		if p.From == TheHost && p.Addr.Is4() && strings.HasPrefix(p.To, servicePrefix) && p.Published == "" {
			got[p.To+"/"+p.Proto] = fmt.Sprint(p.Servers)
		}
	}
	want := map[string]string{
		"service pair/tcp":  "[{m1 10.77.1.2 8080 tcp} {m1 10.77.1.2 8081 tcp}]",
		"service vault/udp": "[{v1 10.77.2.2 53 udp}]",
		"service web/tcp":   "[{c1 10.77.0.2 8080 tcp} {c2 10.77.0.3 8080 tcp}]",
		"service web/udp":   "[{c1 10.77.0.2 53 udp} {c2 10.77.0.3 53 udp}]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(- wanted, + derived):\n%s", diff)
	}
}

// TestDeriveOfNames holds what is derived of some to what is derived of all.
func TestDeriveOfNames(t *testing.T) {
	for _, file := range []string{"testdata/bridge.yaml", "testdata/services.yaml"} {
		deriveOfNames(t, load(t, file))
	}
}

func deriveOfNames(t *testing.T, topo topology.Topology) {
	var all []string
	for _, s := range topo.Services {
		all = append(all, ServiceNamed(s.Name))
	}
	for _, c := range topo.Containers {
		all = append(all, c.Name)
	}
	about := func(list []Promise, names []string) (some []Promise) {
		for _, p := range list {
			if p.About(names) {
				some = append(some, p)
			}
		}
		return some
	}
	for _, name := range all {
		names := []string{name}
		want, got := about(Derive(topo, lab, all...), names), about(Derive(topo, lab, name), names)
		if diff := cmp.Diff(lines(want), lines(got)); diff != "" {
			t.Errorf("%s (-of all +of it):\n%s", name, diff)
		}
	}
}
