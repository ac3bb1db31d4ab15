package names

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/cnetlab/cnet/internal/topology"
	"github.com/miekg/dns"
)

// example is two networks that do not reach each other and one whose containers
// do not; db is in two, and a pod of two in lab.
func example(t testing.TB) topology.Topology {
	t.Helper()
	topo, err := topology.Parse("example", []byte(`
networks:
- {name: lab, driver: bridge, subnet: 10.77.0.0/24, gateway: 10.77.0.1, ipv6: true, subnet6: "fd77::/64", gateway6: "fd77::1", mtu: 1500, firewall: nftables, dns_ttl: 5}
- {name: apart, driver: bridge, subnet: 10.77.1.0/24, gateway: 10.77.1.1, icc: false, mtu: 1500, firewall: nftables}
- {name: vault, driver: bridge, subnet: 10.77.2.0/24, gateway: 10.77.2.1, internal: true, mtu: 1500, firewall: nftables}
- {name: mute, driver: bridge, subnet: 10.77.3.0/24, gateway: 10.77.3.1, dns: false, mtu: 1500, firewall: nftables}
containers:
- {name: a1, networks: [{network: apart, ip: 10.77.1.2, aliases: [me], default_route: true}]}
- {name: a2, networks: [{network: apart, ip: 10.77.1.3}]}
- {name: c1, labels: {app: web}, networks: [{network: lab, ip: 10.77.0.2, ip6: "fd77::2", aliases: [twin], default_route: true}]}
- {name: c2, labels: {app: web}, networks: [{network: lab, ip: 10.77.0.3, ip6: "fd77::3", aliases: [twin], default_route: true}]}
- {name: db, networks: [{network: vault, ip: 10.77.2.2}, {network: lab, ip: 10.77.0.4, ip6: "fd77::4", default_route: true}]}
- {name: m1, networks: [{network: mute, ip: 10.77.3.2, default_route: true}]}
- {name: Safe, networks: [{network: vault, ip: 10.77.2.3}]}
- {name: side, share: c1}
services:
- {name: front, network: lab, vip: 10.76.0.1, selector: {app: web}}
- {name: heads, network: lab, headless: true, selector: {app: web}, check: {kind: tcp}, ready: [c2]}
- {name: door, network: apart, vip: 10.76.0.2, backends: [a1]}
- {name: hidden, network: apart, headless: true, backends: [a1, a2]}
`))
	if err != nil {
		t.Fatal(err)
	}
	topo.Sort()
	return topo
}

// From whom questions come: the address, and the gateway that is asked.
var (
	fromC1    = asker{ip("10.77.0.1"), ip("10.77.0.2")}
	fromC1v6  = asker{ip("fd77::1"), ip("fd77::2")}
	fromDB    = asker{ip("10.77.0.1"), ip("10.77.0.4")}
	fromDBtoV = asker{ip("10.77.2.1"), ip("10.77.2.2")}
	fromA1    = asker{ip("10.77.1.1"), ip("10.77.1.2")}
	fromSafe  = asker{ip("10.77.2.1"), ip("10.77.2.3")}
	fromHost  = asker{ip("10.77.2.1"), ip("127.0.0.1")}
)

// who is what an asker sees; the host's addresses are not there.
func who(z *Zone, a asker) *view {
	if a == fromHost {
		return z.host
	}
	return z.views[a]
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestAnswer(t *testing.T) {
	const upstream = "upstream"
	for _, c := range []struct {
		who        asker
		name, kind string
		want       string // the data of the answers, or how there are none
	}{
		// The forms of a name.
		{fromC1, "c2.cnet.", "A", "10.77.0.3"},
		{fromC1, "c2.", "A", "10.77.0.3"},
		{fromC1, "c2.lab.", "A", "10.77.0.3"},
		{fromC1, "c2.lab.cnet.", "A", "10.77.0.3"},
		{fromC1, "C2.LAB.cNeT.", "A", "10.77.0.3"},
		{fromC1, "c2.cnet.", "AAAA", "fd77::3"},
		{fromC1v6, "c2.cnet.", "AAAA", "fd77::3"},
		{fromC1, "c1.cnet.", "A", "10.77.0.2"},
		{fromC1, "side.cnet.", "A", "10.77.0.2"},
		{fromC1, "c2.cnet.", "ANY", "10.77.0.3"},
		// What is there, but not of that type, and what is not there.
		{fromC1, "c2.cnet.", "MX", "NODATA"},
		{fromC1, "front.cnet.", "AAAA", "NODATA"},
		{fromC1, "lab.cnet.", "A", "NODATA"},
		{fromC1, "cnet.", "A", "NODATA"},
		{fromC1, "cnet.", "SOA", "cnet. nobody.invalid. 7 3600 600 86400 0"},
		{fromC1, "none.cnet.", "A", "NXDOMAIN"},
		{fromC1, "none.", "A", "NXDOMAIN"},
		{fromC1, "none.", "MX", "NXDOMAIN"},
		{fromC1, "none.lab.", "A", "NXDOMAIN"},
		{fromC1, "x.c2.lab.cnet.", "A", "NXDOMAIN"},
		// What cannot be reached cannot be resolved, nor asked of others.
		{fromC1, "safe.vault.cnet.", "A", "NXDOMAIN"},
		{fromC1, "safe.vault.", "A", "NXDOMAIN"},
		{fromC1, "safe.", "A", "NXDOMAIN"},
		{fromC1, "vault.cnet.", "A", "NXDOMAIN"},
		{fromC1, "vault.", "NS", "NXDOMAIN"},
		{fromC1, "m1.cnet.", "A", "NXDOMAIN"},
		{fromC1, "3.2.77.10.in-addr.arpa.", "PTR", "NXDOMAIN"},
		// Two networks: the one of the default route first, at whichever gateway.
		{fromDB, "db.cnet.", "A", "10.77.0.4"},
		{fromDBtoV, "db.cnet.", "A", "10.77.0.4"},
		{fromDB, "db.vault.cnet.", "A", "10.77.2.2"},
		{fromDB, "safe.cnet.", "A", "10.77.2.3"},
		{fromSafe, "db.cnet.", "A", "10.77.2.2"},
		{fromSafe, "c1.cnet.", "A", "NXDOMAIN"},
		// Containers that are kept apart see themselves and services.
		{fromA1, "a1.cnet.", "A", "10.77.1.2"},
		{fromA1, "me.apart.", "A", "10.77.1.2"},
		{fromA1, "a2.cnet.", "A", "NXDOMAIN"},
		{fromA1, "3.1.77.10.in-addr.arpa.", "PTR", "NXDOMAIN"},
		{fromA1, "2.1.77.10.in-addr.arpa.", "PTR", "a1.apart.cnet."},
		{fromA1, "door.cnet.", "A", "10.76.0.2"},
		{fromA1, "hidden.cnet.", "A", "NXDOMAIN"},
		// Services.
		{fromC1, "front.cnet.", "A", "10.76.0.1"},
		{fromC1, "1.0.76.10.in-addr.arpa.", "PTR", "front.lab.cnet."},
		{fromC1, "heads.cnet.", "A", "10.77.0.3"},
		{fromA1, "front.cnet.", "A", "NXDOMAIN"},
		// Reverse.
		{fromC1, "3.0.77.10.in-addr.arpa.", "PTR", "c2.lab.cnet."},
		{fromC1, "3.0.77.10.IN-ADDR.ARPA.", "PTR", "c2.lab.cnet."},
		{fromC1, "3.0.77.10.in-addr.arpa.", "A", "NODATA"},
		{fromC1, "0.77.10.in-addr.arpa.", "NS", "NODATA"},
		{fromC1, "9.0.77.10.in-addr.arpa.", "PTR", "NXDOMAIN"},
		{fromC1, "3." + strings.Repeat("0.", 27) + "7.7.d.f.ip6.arpa.", "PTR", "c2.lab.cnet."},
		{fromSafe, "3.2.77.10.in-addr.arpa.", "PTR", "Safe.vault.cnet."},
		// The host sees all, and asks others itself.
		{fromHost, "c1.cnet.", "A", "10.77.0.2"},
		{fromHost, "safe.vault.cnet.", "A", "10.77.2.3"},
		{fromHost, "a2.", "A", "10.77.1.3"},
		{fromHost, "example.org.", "A", "REFUSED"},
		// Upstream.
		{fromC1, "example.org.", "A", upstream},
		{fromC1, "www.lab.example.", "A", upstream},
		{fromC1, ".", "NS", upstream},
		{fromC1, "org.", "DS", upstream},
		{fromC1, "77.10.in-addr.arpa.", "NS", upstream},
		{fromC1, "1.2.0.192.in-addr.arpa.", "PTR", upstream},
		{fromC1, "x.0.77.10.in-addr.arpa.", "PTR", upstream},
		{fromC1, "c2.cnet.", "AXFR", "REFUSED"},
		// Nobody.
		{asker{ip("10.77.0.1"), ip("10.77.0.9")}, "c2.cnet.", "A", "REFUSED"},
		{asker{ip("10.77.0.1"), ip("203.0.113.3")}, "example.org.", "A", "REFUSED"},
		{asker{ip("10.77.0.1"), ip("10.77.2.3")}, "safe.cnet.", "A", "REFUSED"},
		{asker{ip("10.77.3.1"), ip("10.77.3.2")}, "m1.cnet.", "A", "REFUSED"},
	} {
		z := Compile(Of(example(t)), 7)
		q := query(c.name, c.kind)
		got := upstream
		if reply := z.answer(who(z, c.who), q); reply != nil {
			got = words(reply)
		}
		if got != c.want {
			t.Errorf("%s asks %s %s: %s, want %s", c.who.source, c.name, c.kind, got, c.want)
		}
	}
}

// words is a reply's data, or how it has none.
func words(m *dns.Msg) string {
	var data []string
	for _, rr := range m.Answer {
		data = append(data, strings.TrimPrefix(rr.String(), rr.Header().String()))
	}
	switch {
	case m.Rcode != dns.RcodeSuccess:
		return dns.RcodeToString[m.Rcode]
	case len(data) == 0:
		return "NODATA"
	}
	slices.Sort(data)
	return strings.Join(data, " ")
}

func query(name, kind string) *dns.Msg {
	return new(dns.Msg).SetQuestion(name, dns.StringToType[kind])
}

// What has several addresses gives each the first place in its turn.
func TestTurns(t *testing.T) {
	z := Compile(Of(example(t)), 1)
	first := make(map[string]int)
	for i := 0; i < 10; i++ {
		reply := z.answer(z.views[fromC1], query("twin.cnet.", "A"))
		if len(reply.Answer) != 2 {
			t.Fatal(reply)
		}
		first[reply.Answer[0].(*dns.A).A.String()]++
	}
	if first["10.77.0.2"] != 5 || first["10.77.0.3"] != 5 {
		t.Errorf("first places: %v", first)
	}
}

// An answer may be remembered for as long as the network says.
func TestTTL(t *testing.T) {
	z := Compile(Of(example(t)), 1)
	reply := z.answer(z.views[fromC1], query("c2.cnet.", "A"))
	if ttl := reply.Answer[0].Header().Ttl; ttl != 5 {
		t.Errorf("TTL %d, want 5", ttl)
	}
}

// Both ways to an answer lead to the same.
func TestQuick(t *testing.T) {
	z := Compile(Of(example(t)), 1)
	answered := 0
	for _, a := range []asker{fromC1, fromDB, fromA1, fromSafe, fromHost, {}} {
		for _, name := range []string{"c1", "C2", "db", "safe", "front", "heads", "a2", "none", "cnet", "lab", "c1.lab", "c1.vault", "a1.apart", "example.org"} {
			for _, domain := range []string{".", ".cnet.", ".CNET."} {
				for _, kind := range []string{"A", "AAAA", "MX"} {
					for _, size := range []uint16{0, 512, 4096} {
						q := query(name+domain, kind)
						if size > 0 {
							q.SetEdns0(size, true)
						}
						if same(t, z, a, q) {
							answered++
						}
					}
				}
			}
		}
	}
	if answered < 100 {
		t.Errorf("only %d of the queries were plain", answered)
	}
}

// same compares the quick reply, where there is one, with the other.
func same(t *testing.T, z *Zone, a asker, q *dns.Msg) bool {
	t.Helper()
	packet, err := q.Pack()
	if err != nil {
		t.Fatal(err)
	}
	quick, ok := z.quick(who(z, a), packet, nil)
	if !ok {
		return false
	}
	reply := z.answer(who(z, a), q)
	if reply == nil {
		t.Fatalf("%v: a quick reply to what is asked upstream", q.Question)
	}
	want, err := reply.Pack()
	if err != nil || string(quick) != string(want) {
		t.Fatalf("%v:\nquick %x\nelse  %x", q.Question, quick, want)
	}
	return true
}

func TestQuickAllocates(t *testing.T) {
	z := Compile(Of(example(t)), 1)
	packet, _ := query("c2.lab.cnet.", "A").Pack()
	out := make([]byte, 0, payload)
	n := testing.AllocsPerRun(100, func() {
		if _, ok := z.quick(z.views[fromC1], packet, out); !ok {
			t.Fatal("it is not answered")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Where two networks have the same addresses, none sees the other's names.
func TestOverlap(t *testing.T) {
	b := Of(example(t))
	for i, n := range b.Networks {
		if n.Name == "vault" {
			b.Networks[i].Gateways = []netip.Addr{ip("10.77.0.1")}
		}
	}
	for i, s := range b.Stacks {
		if s.Names[0] == "Safe" {
			b.Stacks[i].Places[0].Addrs = []netip.Addr{ip("10.77.0.2")}
		}
	}
	z := Compile(b, 1)
	if got := words(z.answer(z.views[fromC1], query("c2.cnet.", "A"))); got != "REFUSED" {
		t.Error(got)
	}
}

func BenchmarkQuick(b *testing.B) {
	z := Compile(Of(example(b)), 1)
	packet, _ := query("c2.lab.cnet.", "A").Pack()
	out := make([]byte, 0, payload)
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		z.quick(z.views[fromC1], packet, out)
	}
}

func BenchmarkAnswer(b *testing.B) {
	z := Compile(Of(example(b)), 1)
	packet, _ := query("c2.lab.cnet.", "A").Pack()
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		q := new(dns.Msg)
		_ = q.Unpack(packet)
		_, _ = z.answer(z.views[fromC1], q).Pack()
	}
}

func BenchmarkCompile(b *testing.B) {
	var t topology.Topology
	t.Networks = []topology.Network{{Name: "lab", Gateway: ip("10.0.0.1"), Subnet: netip.MustParsePrefix("10.0.0.0/16")}}
	at := ip("10.0.0.1")
	for i := 0; i < 1000; i++ {
		at = at.Next()
		t.Containers = append(t.Containers, topology.Container{
			Name: fmt.Sprintf("c%04d", i), Networks: []topology.Attachment{{Network: "lab", IP: at}},
		})
	}
	book := Of(t)
	b.Run("from JSON", func(b *testing.B) {
		data, err := json.Marshal(book)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		s := NewServer("")
		for i := 0; i < b.N; i++ {
			_ = s.Know(data, nil)
		}
	})
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; i < b.N; i++ {
			Compile(book, 1)
		}
	})
}
