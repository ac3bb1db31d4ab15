package engine_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/cnetlab/cnet/internal/engine"
	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/internal/topology"
)

// Benchmarks run in a sandbox, on the real kernel.
func TestMain(m *testing.M) { hosttest.Main(m) }

// eachFirewall runs a benchmark over both backends, on a host with network lab and
// this many ports published, and leaves nothing.
func eachFirewall(b *testing.B, ports int, run func(b *testing.B, e *engine.Engine, start engine.Mutation)) {
	for _, firewall := range []string{"iptables", "nftables"} {
		firewall := firewall
		start := func(t *topology.Topology, h topology.Host) error {
			if err := t.AddNetwork(topology.NetworkSpec{Name: "lab", Subnet: "10.80.0.0/20", ICC: true, Firewall: firewall}, h); err != nil {
				return err
			}
			return crowd(t, h, ports)
		}
		b.Run(firewall, func(b *testing.B) {
			e := engine.New()
			defer func() { reset(b, e) }()
			if _, err := e.Change(context.Background(), "bench", start); err != nil {
				b.Skip(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			b.StopTimer()
			run(b, e, start)
		})
	}
}

const portsEach = 50

// crowd adds containers with so many ports between them.
func crowd(t *topology.Topology, h topology.Host, ports int) error {
	for i := 0; i*portsEach < ports; i++ {
		var list []topology.Port
		for n := i * portsEach; n < ports && n < (i+1)*portsEach; n++ {
			list = append(list, port(10000+n))
		}
		if err := add(t, h, fmt.Sprintf("c%d", i), list...); err != nil {
			return err
		}
	}
	return nil
}

func port(number int) topology.Port {
	p, err := topology.ParsePort(fmt.Sprintf("%d:80", number))
	if err != nil {
		panic(err)
	}
	return p
}

func add(t *topology.Topology, h topology.Host, name string, ports ...topology.Port) error {
	if err := t.AddContainer(topology.ContainerSpec{Name: name}, h); err != nil {
		return err
	}
	if err := t.Connect(name, topology.AttachSpec{Network: "lab"}); err != nil {
		return err
	}
	return t.Published(name, ports, h)
}

// measured runs what a benchmark is about. scripts/profile looks for its name.
//
//go:noinline
func measured(b *testing.B, run func()) {
	b.StartTimer()
	run()
	b.StopTimer()
}

func change(b *testing.B, e *engine.Engine, mutate engine.Mutation) {
	b.Helper()
	if _, err := e.Change(context.Background(), "bench", mutate); err != nil {
		b.Fatal(err)
	}
}

func reset(b *testing.B, e *engine.Engine) {
	b.Helper()
	if _, err := e.Reset(context.Background(), false); err != nil {
		b.Fatal(err)
	}
}

func createWeb(t *topology.Topology, h topology.Host) error { return add(t, h, "web", port(8080)) }

func deleteWeb(t *topology.Topology, _ topology.Host) error { return t.RemoveContainer("web") }

func BenchmarkCreate(b *testing.B) {
	eachFirewall(b, 0, func(b *testing.B, e *engine.Engine, _ engine.Mutation) {
		for i := 0; i < b.N; i++ {
			measured(b, func() { change(b, e, createWeb) })
			change(b, e, deleteWeb)
		}
	})
}

func BenchmarkDelete(b *testing.B) {
	eachFirewall(b, 0, func(b *testing.B, e *engine.Engine, _ engine.Mutation) {
		for i := 0; i < b.N; i++ {
			change(b, e, createWeb)
			measured(b, func() { change(b, e, deleteWeb) })
		}
	})
}

// BenchmarkPublish is one port more where there are some.
func BenchmarkPublish(b *testing.B) {
	one := []topology.Port{port(8080)}
	publish := func(t *topology.Topology, h topology.Host) error { return t.Published("c0", one, h) }
	unpublish := func(t *topology.Topology, _ topology.Host) error { return t.Unpublished("c0", one) }
	for _, ports := range []int{portsEach, 5000} {
		b.Run(fmt.Sprint(ports), func(b *testing.B) {
			eachFirewall(b, ports, func(b *testing.B, e *engine.Engine, _ engine.Mutation) {
				for i := 0; i < b.N; i++ {
					measured(b, func() { change(b, e, publish) })
					change(b, e, unpublish)
				}
			})
		})
	}
}

// BenchmarkList reads what a list shows of a hundred containers with 5,000 ports.
func BenchmarkList(b *testing.B) {
	eachFirewall(b, 5000, func(b *testing.B, e *engine.Engine, _ engine.Mutation) {
		measured(b, func() {
			for i := 0; i < b.N; i++ {
				if _, err := e.Topology(); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

// BenchmarkReset takes a hundred containers with 5,000 ports away.
func BenchmarkReset(b *testing.B) {
	eachFirewall(b, 5000, func(b *testing.B, e *engine.Engine, start engine.Mutation) {
		for i := 0; i < b.N; i++ {
			measured(b, func() { reset(b, e) })
			change(b, e, start)
		}
	})
}
