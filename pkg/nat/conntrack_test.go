package nat_test

import (
	"fmt"
	"net/netip"
	"sort"
	"strings"
	"testing"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
)

// TestFlowsMove has a client send numbers from one socket, without a pause,
// while its port is published, given to another container and taken back: by
// facts, and by the commands that they print. All numbers that are sent after a
// change must be answered by who then has the port.
func TestFlowsMove(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		from string // namespace of the client
		to   string // what it calls
		port nat.Publish
	}{
		{"other number", "outside", "203.0.113.2:8080", port(ip4, "udp", "10.77.0.2", 8080, 8080, 80)},
		{"same number", "outside", "203.0.113.2:53", port(ip4, "udp", "10.77.0.2", 53, 53, 53)},
		{"range", "outside", "203.0.113.2:7001", port(ip4, "udp", "10.77.0.2", 7000, 7002, 8000)},
		{"range, same numbers", "outside", "203.0.113.2:8001", port(ip4, "udp", "10.77.0.2", 8000, 8002, 8000)},
		{"bound address", "outside", "203.0.113.2:53", at(port(ip4, "udp", "10.77.0.2", 53, 53, 53), "203.0.113.2")},
		{"IPv6", "outside", "[2001:db8::2]:8080", port(ip6, "udp", "fd77::2", 8080, 8080, 80)},
		{"IPv6, same number", "outside", "[2001:db8::2]:53", port(ip6, "udp", "fd77::2", 53, 53, 53)},
		{"by 127.0.0.1", "", "127.0.0.1:8080", port(ip4, "udp", "10.77.0.2", 8080, 8080, 80)},
		{"by 127.0.0.1, bound", "", "127.0.0.1:8080", at(port(ip4, "udp", "10.77.0.2", 8080, 8080, 80), "127.0.0.1")},
		{"host, by its address", "", "203.0.113.2:53", port(ip4, "udp", "10.77.0.2", 53, 53, 53)},
		{"sibling, by the host's address", "next", "203.0.113.2:8080", port(ip4, "udp", "10.77.0.2", 8080, 8080, 80)},
	}
	hosttest.Run(t, func(t *testing.T) {
		wire(t)
		hosttest.Sh(t, neighbours)
		for _, p := range []int{53, 80, 8001} {
			answer(t, "web", p)
			answer(t, "next", p)
		}
		ways := map[string]func(*testing.T, fact.Verb, fact.Fact){"facts": byFact, "commands": byHand}
		for _, c := range cases {
			for way, do := range ways {
				c, do := c, do
				t.Run(c.name+"/"+way, func(t *testing.T) {
					t.Cleanup(func() { byFact(t, fact.Break, c.port); byFact(t, fact.Break, toNext(c.port)) })
					client := callOn(t, c.from, c.to)
					client.expect("before", "")
					do(t, fact.Make, c.port)
					client.expect("published", "web")
					do(t, fact.Break, c.port)
					do(t, fact.Make, toNext(c.port))
					client.expectSoon("given to next", "next", c.port)
					do(t, fact.Break, toNext(c.port))
					client.expectSoon("taken back", "", toNext(c.port))
				})
			}
		}
	})
}

// TestLateAnswer has a container answer when its flow is forgotten already. The
// answer begins the flow anew, as one from the container to the caller, and
// would let the caller in once more.
func TestLateAnswer(t *testing.T) {
	t.Parallel()
	for way, do := range map[string]func(*testing.T, fact.Verb, fact.Fact){"facts": byFact, "commands": byHand} {
		do := do
		t.Run(way, func(t *testing.T) {
			hosttest.Run(t, func(t *testing.T) {
				wire(t)
				hosttest.Sh(t, neighbours)
				p := at(port(ip4, "udp", "10.77.0.2", 53, 53, 53), "203.0.113.2")
				byFact(t, fact.Make, p)
				server := socket(t, "web", 53)
				once(t, "outside", ":5353", "203.0.113.2:53")
				_, caller, err := server.ReadFromUDPAddrPort(make([]byte, 64))
				must(t, err)
				hosttest.Sh(t, "conntrack -F")
				_, err = server.WriteToUDPAddrPort([]byte("late"), caller)
				must(t, err)
				if now := remembered(t); !strings.Contains(now, "udp src=10.77.0.2 dst=203.0.113.1 sport=53") {
					t.Fatalf("the answer began no flow:\n%s", now)
				}
				do(t, fact.Break, p)
				if now := remembered(t); strings.Contains(now, "10.77.0.2") {
					t.Errorf("after the port was taken back there is:\n%s", now)
				}
			})
		})
	}
}

// TestOthersFlowsStay has flows of others about: whatever is published and taken
// back, facts and commands leave them alone.
func TestOthersFlowsStay(t *testing.T) {
	t.Parallel()
	hosttest.Run(t, func(t *testing.T) {
		wire(t)
		hosttest.Sh(t, neighbours)
		hosttest.Sh(t, `
			ip netns add foreign
			ip link add foreign0 type veth peer name eth0 netns foreign
			ip addr add 198.51.100.1/24 dev foreign0
			ip link set foreign0 up
			ip -n foreign link set eth0 up
			ip -n foreign addr add 198.51.100.2/24 dev eth0
			ip -n foreign route add default via 198.51.100.1`)
		other := toNext(port(ip4, "udp", "10.77.0.2", 8081, 8081, 80))
		byFact(t, fact.Make, other)
		bound := toNext(at(port(ip4, "udp", "10.77.0.2", 60, 60, 53), "127.0.0.1"))
		byFact(t, fact.Make, bound)
		once(t, "next", ":0", "203.0.113.1:53")      // a query of a container
		once(t, "web", ":0", "203.0.113.1:53")       // even of the one that publishes
		once(t, "next", ":53", "203.0.113.1:9")      // from that port
		once(t, "foreign", ":0", "203.0.113.1:53")   // forwarded for somebody else
		once(t, "next", ":0", "10.77.0.2:53")        // straight from one to the other
		once(t, "", ":0", "10.77.0.2:53")            // straight from the host
		once(t, "", ":0", "203.0.113.1:53")          // the host's own query
		once(t, "outside", ":0", "203.0.113.2:8081") // to another port
		once(t, "", "127.0.0.1:0", "127.0.0.1:60")   // to another address
		hosttest.Sh(t, `conntrack -I -p tcp -s 203.0.113.1 -d 203.0.113.2 --sport 1000 --dport 53 --state ESTABLISHED -t 100 -u ASSURED`)
		before := remembered(t)
		if n := strings.Count(before, "\n"); n < 9 {
			t.Fatalf("only %d flows are remembered:\n%s", n, before)
		}
		for _, p := range []nat.Publish{
			port(ip4, "udp", "10.77.0.2", 53, 53, 53),
			port(ip4, "udp", "10.77.0.2", 53, 53, 80),
			port(ip4, "udp", "10.77.0.2", 52, 54, 52),
			at(port(ip4, "udp", "10.77.0.2", 60, 60, 53), "203.0.113.2"),
			port(ip4, "tcp", "10.77.0.2", 53, 53, 53),
			port(ip4, "sctp", "10.77.0.2", 53, 53, 53),
			port(ip6, "udp", "fd77::2", 53, 53, 53),
		} {
			for _, do := range []func(*testing.T, fact.Verb, fact.Fact){byFact, byHand} {
				for _, v := range []fact.Verb{fact.Make, fact.Break} {
					do(t, v, p)
					equal(t, before, remembered(t))
				}
			}
		}
	})
}

// TestTracked takes an address away: its connections are forgotten, whoever
// began them and whatever their protocol, and no others.
func TestTracked(t *testing.T) {
	t.Parallel()
	for way, do := range map[string]func(*testing.T, fact.Verb, fact.Fact){"facts": byFact, "commands": byHand} {
		do := do
		t.Run(way, func(t *testing.T) {
			hosttest.Run(t, func(t *testing.T) {
				wire(t)
				hosttest.Sh(t, neighbours)
				byFact(t, fact.Make, port(ip4, "udp", "10.77.0.2", 53, 53, 53))
				byFact(t, fact.Make, port(ip6, "udp", "fd77::2", 53, 53, 53))
				once(t, "next", ":0", "203.0.113.1:53")
				once(t, "outside", ":0", "203.0.113.2:80")
				const others = `conntrack -I -p tcp -s 203.0.113.1 -d 203.0.113.2 --sport 10 --dport 80 --dst-nat 10.77.0.3 --state ESTABLISHED -t 100`
				hosttest.Sh(t, others)
				want := remembered(t)
				once(t, "web", ":0", "203.0.113.1:53")
				once(t, "web", ":0", "[2001:db8::1]:53")
				once(t, "outside", ":0", "203.0.113.2:53")
				once(t, "outside", ":0", "[2001:db8::2]:53")
				once(t, "", ":0", "10.77.0.2:9")
				for i, proto := range []string{"tcp --state ESTABLISHED", "sctp --state ESTABLISHED --orig-vtag 1 --reply-vtag 1"} {
					hosttest.Sh(t, fmt.Sprintf("conntrack -I -p %s -s 203.0.113.1 -d 203.0.113.2 --sport %d --dport 80 --dst-nat 10.77.0.2 -t 100", proto, 20+i))
				}
				for _, addr := range []string{"10.77.0.2", "fd77::2"} {
					f := nat.Tracked{Container: "web", Network: "lab", Addr: netip.MustParseAddr(addr)}
					byFact(t, fact.Make, f)
					do(t, fact.Break, f)
					do(t, fact.Break, f)
				}
				equal(t, want, remembered(t))
			})
		})
	}
}

// remembered is the kernel's table of connections of TCP, UDP and SCTP, each with its
// number, which is another when it was forgotten and began anew.
func remembered(t *testing.T) string {
	t.Helper()
	var lines []string
	table := hosttest.Host(t, "conntrack", "-L", "-f", "ipv4", "-o", "id") + hosttest.Host(t, "conntrack", "-L", "-f", "ipv6", "-o", "id")
	for _, line := range strings.Split(table, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || !strings.Contains("tcp udp sctp", words[0]) {
			continue
		}
		kept := words[:1]
		for _, w := range words[1:] {
			if strings.Contains(w, "=") && !strings.HasPrefix(w, "use=") {
				kept = append(kept, w)
			}
		}
		lines = append(lines, strings.Join(kept, " ")+"\n")
	}
	sort.Strings(lines)
	return strings.Join(lines, "")
}
