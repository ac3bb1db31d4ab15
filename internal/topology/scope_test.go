package topology

import (
	"fmt"
	"math/rand"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cnetlab/cnet/pkg/fact"
)

// TestTouched changes a topology at random, and compares the plan of each change
// from all facts with the plan from the facts of those that it touches.
func TestTouched(t *testing.T) {
	for seed := int64(1); seed <= 30; seed++ {
		r := rand.New(rand.NewSource(seed))
		var now Topology
		done := make(map[string]int)
		for i := 0; i < 240; i++ {
			next := now.Clone()
			what, err := disturb(r, &next)
			if err != nil {
				continue // refused; another way next time
			}
			next.Sort()
			done[what]++
			if err := next.Check(); err != nil {
				t.Fatalf("seed %d, after %s: %v", seed, what, err)
			}
			only := Touched(now, next)
			whole := steps(fact.Diff(Compile(now).Facts, Compile(next).Facts))
			part := steps(fact.Diff(CompileOnly(now, only).Facts, CompileOnly(next, only).Facts))
			if diff := cmp.Diff(whole, part); diff != "" {
				t.Fatalf("seed %d, %s: what it touches (%v) gives another plan:\n%s", seed, what, only, diff)
			}
			now = next
		}
		if len(done) < 6 {
			t.Errorf("seed %d changed too little: %v", seed, done)
		}
	}
}

func steps(p fact.Plan) (list []string) {
	for _, s := range p.Steps {
		list = append(list, s.String())
	}
	for _, f := range p.Gone {
		list = append(list, "gone "+f.Key().String())
	}
	return list
}

// disturb makes one change of some sort.
func disturb(r *rand.Rand, t *Topology) (what string, err error) {
	h := plain{}
	pick := func(prefix string, n int) string { return fmt.Sprintf("%s%d", prefix, r.Intn(n)) }
	name, network := pick("c", 12), pick("n", 4)
	switch what = []string{"create", "create", "share", "delete", "connect", "connect", "connect", "disconnect",
		"publish", "publish", "publish", "unpublish", "network", "network", "remove", "mtu", "firewall",
		"service", "service", "add", "add", "back", "set", "set", "ready", "end", "label", "label"}[r.Intn(28)]; what {
	case "create":
		err = t.AddContainer(ContainerSpec{Name: name}, h)
	case "share":
		err = t.AddContainer(ContainerSpec{Name: name, Share: pick("c", 12)}, h)
	case "delete":
		err = t.RemoveContainer(name)
	case "connect":
		err = t.Connect(name, AttachSpec{Network: network})
	case "disconnect":
		err = t.Disconnect(name, network)
	case "publish":
		var p Port
		host := 8000 + r.Intn(40)
		if r.Intn(5) == 0 {
			host = 53
		}
		if p, err = ParsePort(fmt.Sprintf("%s%d:80/%s", []string{"", "127.0.0.1:", "192.0.2.1:"}[r.Intn(3)], host, []string{"tcp", "udp"}[r.Intn(2)])); err == nil {
			err = t.Published(name, []Port{p}, h)
		}
	case "unpublish":
		err = t.Unpublished(name, nil)
	case "network":
		spec := NetworkSpec{
			Name: network, ICC: r.Intn(4) > 0, IPv6: r.Intn(3) == 0, Internal: r.Intn(4) == 0,
			Driver: []string{"bridge", "ptp"}[r.Intn(2)],
		}
		if spec.Driver == "bridge" {
			spec.Subnet, spec.AllowOverlap = []string{"10.9.0.0/16", "10.9.1.0/24", "", "", ""}[r.Intn(5)], true
		}
		err = t.AddNetwork(spec, h)
	case "remove":
		err = t.RemoveNetwork(network)
	case "service", "add", "back", "set", "ready", "end", "label":
		err = disturbServices(r, t, what, name, network)
	default: // as a topology file that is applied changes a network
		n, missing := t.Network(network)
		if err = missing; err == nil && what == "mtu" {
			n.MTU = 1400 + r.Intn(100)
		} else if err == nil {
			n.Firewall = map[string]string{"iptables": "nftables", "nftables": "iptables"}[n.Firewall]
		}
	}
	return what, err
}

// disturbServices makes one change to services, or to what they choose by.
func disturbServices(r *rand.Rand, t *Topology, what, container, network string) error {
	h, name := plain{}, fmt.Sprintf("s%d", r.Intn(4))
	labels := map[string]string{"app": fmt.Sprintf("a%d", r.Intn(2)), "version": fmt.Sprintf("v%d", r.Intn(2))}
	switch what {
	case "service":
		s := Service{Name: name, Network: network, Headless: r.Intn(6) == 0, Ports: []ServicePort{{80, 8080, "tcp"}, {53, 53, "udp"}}}
		if r.Intn(2) == 0 {
			s.Selector = map[string]string{"app": labels["app"]}
		}
		return t.AddService(s, h)
	case "add":
		return t.AddBackends(name, []Backend{{Container: container, Port: uint16(r.Intn(2) * 9090)}}, h)
	case "back":
		return t.RemoveBackends(name, []string{container})
	case "ready":
		return t.SetReady(name, []string{"c1", "c2", container})
	case "end":
		return t.RemoveService(name)
	case "label":
		if k, err := t.Container(container); err == nil && k.Labels != nil && r.Intn(3) == 0 {
			return t.Label(container, nil, []string{"app"})
		}
		return t.Label(container, labels, nil)
	}
	return t.SetService(name, h, func(s *Service) error {
		switch r.Intn(6) {
		case 0:
			s.Weights = []Weight{{"v0", r.Intn(4)}, {"v1", r.Intn(4)}, {container, r.Intn(4)}}
		case 1:
			s.Mode, s.Affinity = Exact, r.Intn(2)*60
		case 2:
			s.Publish = []Port{{Host: uint16(8000 + r.Intn(40)), To: 80, Proto: "tcp"}}
			if r.Intn(3) == 0 {
				s.Publish = []Port{{Host: NamesPort, To: 53, Proto: "udp"}}
			}
			s.Publish[0].HostEnd = s.Publish[0].Host
			if r.Intn(2) == 0 {
				s.Publish[0].HostIP = netip.MustParseAddr("192.0.2.1")
			}
		case 3:
			s.Check = &Check{Kind: CheckTCP}
		case 4:
			s.Network = network
		case 5:
			s.Selector = labels
		}
		return nil
	})
}
