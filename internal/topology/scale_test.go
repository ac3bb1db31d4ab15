package topology

import (
	"fmt"
	"math/rand"
	"net/netip"
	"strings"
	"testing"

	"github.com/cnetlab/cnet/internal/fail"
)

// specs are n containers, PREFIX0 and so on, on one network.
func specs(prefix string, n int, network string) []ContainerSpec {
	list := make([]ContainerSpec, n)
	for i := range list {
		list[i] = ContainerSpec{Name: fmt.Sprintf("%s%d", prefix, i), Networks: []AttachSpec{{Network: network}}}
	}
	return list
}

func TestASubnetIsFilledToTheLastAddress(t *testing.T) {
	var topo Topology
	network(t, &topo, NetworkSpec{Name: "big", Driver: PTP, Subnet: "10.64.0.0/16"})
	const room = 1<<16 - 3 // but for the subnet's own, the broadcast address and the gateway
	must(t, topo.AddContainers(specs("c", room, "big"), plain{}))
	must(t, topo.Check()) // no address twice, nobody has the gateway's
	must(t, topo.AddContainer(ContainerSpec{Name: "late"}, plain{}))
	err := topo.Connect("late", AttachSpec{Network: "big"})
	if fail.KindOf(err) != fail.Conflict || !strings.Contains(err.Error(), "65533 containers") {
		t.Errorf("one too many: %v, want a conflict that says who has the addresses", err)
	}
	freed, err := topo.Container("c777")
	must(t, err)
	ip := freed.Networks[0].IP
	must(t, topo.RemoveContainer("c777"))
	must(t, topo.Connect("late", AttachSpec{Network: "big"}))
	if late, _ := topo.Container("late"); late.Networks[0].IP != ip {
		t.Errorf("the last address free is %s, and %s was handed out", ip, late.Networks[0].IP)
	}
}

// TestAddressesAreApart does as people do, many times: containers come with an
// address of their own or the next one, and go.
func TestAddressesAreApart(t *testing.T) {
	const networks, rounds = 200, 40
	random := rand.New(rand.NewSource(7))
	var topo Topology
	for i := 0; i < networks; i++ {
		network(t, &topo, NetworkSpec{Name: fmt.Sprintf("n%d", i), IPv6: i%3 == 0, Subnet: fmt.Sprintf("10.%d.%d.0/26", 100+i/250, i%250)})
	}
	had := make(map[string]netip.Addr) // by name: the static address of who stays
	for round := 0; round < rounds; round++ {
		var list []ContainerSpec
		for i := 0; i < 100; i++ {
			n, err := topo.Network(fmt.Sprintf("n%d", random.Intn(networks)))
			must(t, err)
			s := ContainerSpec{Name: fmt.Sprintf("c%d-%d", round, i), Networks: []AttachSpec{{Network: n.Name}}}
			if ip := fromUint(toUint(n.Subnet.Addr()) + 2 + uint32(random.Intn(60))); i%4 == 0 && free(topo, list, n.Name, ip) {
				s.Networks[0].IP, had[s.Name] = ip.String(), ip
			}
			list = append(list, s)
		}
		must(t, topo.AddContainers(list, plain{}))
		must(t, topo.Check())
		topo.each(func(c *Container) {
			if want, static := had[c.Name]; static && c.Networks[0].IP != want {
				t.Errorf("%s has %s, and asked for %s", c.Name, c.Networks[0].IP, want)
			}
		})
		var gone []string
		topo.each(func(c *Container) {
			if random.Intn(3) == 0 {
				gone = append(gone, c.Name)
				delete(had, c.Name)
			}
		})
		must(t, topo.RemoveContainer(gone...))
	}
}

func (t *Topology) each(do func(*Container)) {
	for i := range t.Containers {
		do(&t.Containers[i])
	}
}

// free reports whether nobody has the address or asks for it in the same command.
func free(topo Topology, asked []ContainerSpec, network string, ip netip.Addr) bool {
	for _, s := range asked {
		if s.Networks[0].IP == ip.String() {
			return false
		}
	}
	return topo.index().in(network).holder[ip] == ""
}

func TestWhoAsksForAnAddressHasItBeforeWhoTakesAny(t *testing.T) {
	var topo Topology
	network(t, &topo, NetworkSpec{Name: "lab"})
	list := specs("c", 3, "lab")
	list[2].Networks[0].IP = "10.77.0.2"
	must(t, topo.AddContainers(list, plain{}))
	for i, want := range []string{"10.77.0.3", "10.77.0.4", "10.77.0.2"} {
		if got := topo.Containers[i].Networks[0].IP.String(); got != want {
			t.Errorf("%s has %s, want %s", topo.Containers[i].Name, got, want)
		}
	}
	twice := specs("d", 2, "lab")
	twice[0].Networks[0].IP, twice[1].Networks[0].IP = "10.77.0.9", "10.77.0.9"
	if err := topo.AddContainers(twice, plain{}); fail.KindOf(err) != fail.Conflict || !strings.Contains(err.Error(), "d0") {
		t.Errorf("two ask for one address: %v, want a conflict that names d0", err)
	}
}

func TestAPoolSaysWhoTakesIt(t *testing.T) {
	many := []Taken{{prefix("0.0.0.0/0"), "the default route"}, {prefix("10.77.128.0/17"), "the route 10.77.128.0/17 dev tun0"}}
	for i := 0; i < 8; i++ {
		by := fmt.Sprintf("the route to %d", i)
		many = append(many, Taken{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77, byte(120 + i), 0}), 24), by})
	}
	for _, c := range []struct {
		name     string
		taken    []Taken
		networks int
		want     string
	}{
		{"one route", []Taken{{prefix("10.0.0.0/8"), "the route 10.0.0.0/8 dev tun0"}}, 0,
			"all 256 subnets of 10.77.0.0/16 are taken: 256 by the route 10.0.0.0/8 dev tun0"},
		{"networks", nil, 256, "all 256 subnets of 10.77.0.0/16 are taken: 256 by networks of cnet"},
		{"many", many, 120, "all 256 subnets of 10.77.0.0/16 are taken: 128 by the route 10.77.128.0/17 dev tun0, 120 by networks of cnet, 1 by the route to 0, the rest by 7 more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var topo Topology
			for i := 0; i < c.networks; i++ {
				must(t, topo.AddNetwork(NetworkSpec{Name: fmt.Sprintf("n%d", i), ICC: true}, plain{taken: c.taken}))
			}
			err := topo.AddNetwork(NetworkSpec{Name: "late", ICC: true}, plain{taken: c.taken})
			if fail.KindOf(err) != fail.Conflict || !strings.HasSuffix(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestCutTakesTheFirstPieceThatIsFree(t *testing.T) {
	for _, c := range []struct {
		pool  string
		bits  int
		taken []string
		want  string
	}{
		{"10.77.0.0/16", 24, nil, "10.77.0.0/24"},
		{"10.77.0.0/16", 24, []string{"10.77.0.128/25", "10.77.1.0/24", "10.77.4.0/22", "10.77.2.1/32"}, "10.77.3.0/24"},
		{"10.77.0.0/16", 24, []string{"10.77.0.0/17"}, "10.77.128.0/24"},
		{"10.77.0.0/16", 24, []string{"10.76.0.0/16", "10.78.0.0/16", "fd77:77:77::/48", "0.0.0.0/1"}, "10.77.0.0/24"},
		{"fd77:77:77::/48", 64, []string{"fd77:77:77::/64", "fd77:77:77:1::7/128", "fd77:77:77:2::/63"}, "fd77:77:77:4::/64"},
		{"fd77:77:77::/48", 64, []string{"fd77:77:77::/49"}, "fd77:77:77:8000::/64"},
	} {
		var taken []Taken
		for _, s := range c.taken {
			taken = append(taken, Taken{prefix(s), s})
		}
		got, err := cut(prefix(c.pool), c.bits, taken)
		if err != nil || got.String() != c.want {
			t.Errorf("%s without %v: %v, %v; want %s", c.pool, c.taken, got, err, c.want)
		}
	}
}

func TestClash(t *testing.T) {
	for _, c := range []struct{ ports, want string }{
		{"80 81 82 8000-9000", ""},
		{"80 81 80", "80:80/tcp 80:80/tcp"},
		{"9000 1-65535/udp 8000-9000 8500", "9000:9000/tcp 8000-9000:8000-9000/tcp"},
		{"127.0.0.1:80:80 127.0.0.2:80:80 [::1]:80:80 80/udp", ""},
		{"1-100 200-300 99-201", "1-100:1-100/tcp 99-201:99-201/tcp"},
	} {
		var all []claim
		for i, s := range strings.Fields(c.ports) {
			all = append(all, claim{port(t, s), fmt.Sprint(i)})
		}
		got := ""
		if a, b, found := clash(all); found {
			got = a.String() + " " + b.String()
		}
		if got != c.want {
			t.Errorf("%s: %q clash, want %q", c.ports, got, c.want)
		}
	}
}

// large is a host as large as cnet is meant for.
func large(b *testing.B) Topology {
	b.Helper()
	var topo Topology
	for i := 0; i < 200; i++ {
		if err := topo.AddNetwork(NetworkSpec{Name: fmt.Sprintf("n%03d", i), ICC: true}, plain{}); err != nil {
			b.Fatal(err)
		}
	}
	list := make([]ContainerSpec, 4000)
	for i := range list {
		list[i] = ContainerSpec{Name: fmt.Sprintf("c%04d", i), Networks: []AttachSpec{{Network: fmt.Sprintf("n%03d", i%200)}}}
		for p := 0; p < 2+i%2; p++ { // 10,000 in all
			at := uint16(10000 + 3*i + p)
			list[i].Publish = append(list[i].Publish, Port{Host: at, HostEnd: at, To: 80, Proto: "tcp"})
		}
	}
	if err := topo.AddContainers(list, plain{}); err != nil {
		b.Fatal(err)
	}
	return topo
}

// BenchmarkLarge has what commands cost on a host with 200 networks, 4,000
// containers and 10,000 ports.
func BenchmarkLarge(b *testing.B) {
	topo := large(b)
	for _, c := range []struct {
		name string
		do   func(*Topology) error
	}{
		{"Clone", func(t *Topology) error { return nil }}, // part of all that follow
		{"Sort", func(t *Topology) error { t.Sort(); return nil }},
		{"Check", func(t *Topology) error { return t.Check() }},
		{"AddContainer", func(t *Topology) error {
			return t.AddContainer(ContainerSpec{Name: "late", Networks: []AttachSpec{{Network: "n007"}}}, plain{})
		}},
		{"Publish", func(t *Topology) error {
			return t.Published("c2000", []Port{{Host: 9000, HostEnd: 9000, To: 80, Proto: "tcp"}}, plain{})
		}},
		{"RemoveAll", func(t *Topology) error {
			var names []string
			t.each(func(c *Container) { names = append(names, c.Name) })
			return t.RemoveContainer(names...)
		}},
		{"Apply", func(t *Topology) error { return t.Apply(topo, true, plain{}) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; i < b.N; i++ {
				t := topo.Clone()
				if err := c.do(&t); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkAddresses has the time for one address of a subnet that is filled.
func BenchmarkAddresses(b *testing.B) {
	for _, size := range []int{1000, 10000, 65533} {
		list := specs("c", size, "big")
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			for done := 0; done < b.N; done += size {
				var topo Topology
				if err := topo.AddNetwork(NetworkSpec{Name: "big", Driver: PTP, Subnet: "10.64.0.0/16", ICC: true}, plain{}); err != nil {
					b.Fatal(err)
				}
				if err := topo.AddContainers(list, plain{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPublish has the time for each of 5,000 ports of one command.
func BenchmarkPublish(b *testing.B) {
	ports := make([]Port, 5000)
	for i := range ports {
		ports[i] = Port{Host: uint16(10001 + i), HostEnd: uint16(10001 + i), To: 80, Proto: "tcp"}
	}
	for done := 0; done < b.N; done += len(ports) {
		var topo Topology
		if err := topo.AddNetwork(NetworkSpec{Name: "lab", ICC: true}, plain{}); err != nil {
			b.Fatal(err)
		}
		if err := topo.AddContainers(specs("c", 1, "lab"), plain{}); err != nil {
			b.Fatal(err)
		}
		if err := topo.Published("c0", ports, plain{}); err != nil {
			b.Fatal(err)
		}
	}
}
