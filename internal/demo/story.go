package demo

import (
	"net/netip"

	"github.com/cnetlab/cnet/internal/world"
	"github.com/cnetlab/cnet/pkg/bridge"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/cnetlab/cnet/pkg/route"
	"github.com/cnetlab/cnet/pkg/veth"
)

// The names and addresses of the story.
const (
	netns0 = "/run/netns/netns0"
	netns1 = "/run/netns/netns1"
	subnet = "172.18.0.0/16"

	uplink   = "203.0.113.2"  // the host's
	far      = "203.0.113.1"  // the outside's, on the host's segment
	internet = "198.51.100.1" // the outside's, like any address out there
)

// network is the story of a bridge, cables, routes and rules.
func network(s *stage) []step {
	var all []step
	for _, chapter := range [][]step{namespaceSteps(), cableSteps(), bridgeSteps(), outSteps(), inSteps(), endSteps(s)} {
		all = append(all, chapter...)
	}
	return all
}

func namespaceSteps() []step {
	return []step{
		{"The host", []part{{
			text: "Containers share the kernel with their host. What each has of its own is a network stack. First a look at the host's, with a mark in its firewall by which to recognise it: a chain called ROOT_NS.",
			acts: making(mark()),
			looks: []look{
				links(host, "lo, eth0"),
				routesTo(host, "", "default via "+far+" dev eth0, 203.0.113.0/24 dev eth0"),
				chains(host, "ROOT_NS"),
			},
		}}},
		{"A network stack of its own", []part{{
			text: "A network namespace is a second network stack, and an empty one. Nothing of the host's is in it: no link but a loopback that is down, no route, no rule.",
			acts: making(netns.Named{Path: netns0}),
			looks: []look{
				links(netns0, "lo (down)"),
				routesTo(netns0, "", "none"),
				chains(netns0, "none"),
			},
		}}},
	}
}

func cableSteps() []step {
	return []step{
		{"A cable through the wall", []part{{
			text: "A veth pair is a cable: what enters at one end leaves at the other. veth0 is the host's end; ceth0, the container's, is made inside the namespace, and the host does not have it.",
			acts: making(cable(netns0, "0")),
			looks: []look{
				links(host, "lo, eth0, veth0 (down)"),
				links(netns0, "lo (down), ceth0 (down)"),
			},
		}}},
		{"An address at each end", []part{{
			text: "The ends come up, and each gets an address of the same subnet. With an address the kernel adds a route to its subnet, on each side one. Now the two can talk.",
			acts: append(making(hostEnd("0", "172.18.0.11")...), making(containerEnd(netns0, "0", "172.18.0.10")...)...),
			looks: []look{
				pings(host, "172.18.0.10", answered),
				pings(netns0, "172.18.0.11", answered),
				routesTo(host, subnet, subnet+" dev veth0"),
				routesTo(netns0, "", subnet+" dev ceth0"),
			},
		}}},
		{"No way out", []part{{
			text: "netns0 knows its own subnet and nothing else. For all other addresses, even the host's other one, it has no route, and the kernel says so at once.",
			looks: []look{
				pings(netns0, uplink, unreachable),
				pings(netns0, internet, unreachable),
			},
		}}},
		{"Two cables clash", []part{{
			text: "A second container, wired the same way. Now the host has two routes to the same subnet, and the first one always wins: what is for the second container goes down the first one's cable, where nobody has that address.",
			acts: append(append(making(netns.Named{Path: netns1}, cable(netns1, "1")),
				making(hostEnd("1", "172.18.0.21")...)...), making(containerEnd(netns1, "1", "172.18.0.20")...)...),
			looks: []look{
				routesTo(host, subnet, subnet+" dev veth0, "+subnet+" dev veth1"),
				pings(host, "172.18.0.10", answered),
				pings(host, "172.18.0.20", silence),
				pings(netns0, "172.18.0.11", answered),
				pings(netns0, "172.18.0.20", silence),
				pings(netns1, "172.18.0.21", silence),
			},
		}, {
			text:  "The host even asked on the wrong cable who has the address, and nobody replied.",
			looks: []look{neighbour(host, "172.18.0.20", "veth0", "INCOMPLETE")},
		}}},
		{"Without the first route the failure mirrors", []part{{
			text: "Take the first route away, and the second one wins. The second container is back, the first is lost. More routes are no way out of this.",
			acts: breaking(route.Route{Dst: netip.MustParsePrefix(subnet), Link: "veth0"}),
			looks: []look{
				pings(host, "172.18.0.20", answered),
				pings(host, "172.18.0.10", silence),
				pings(netns1, "172.18.0.21", answered),
				pings(netns0, "172.18.0.11", silence),
			},
		}}},
		{"The cables go with their namespaces", []part{{
			text:  "A namespace that is deleted takes its links with it, and a cable cannot have one end only.",
			acts:  breaking(netns.Named{Path: netns1}, netns.Named{Path: netns0}),
			looks: []look{links(host, "lo, eth0"), namespaces("neighbour, outside")},
		}}},
	}
}

func bridgeSteps() []step {
	return []step{
		{"A bridge instead of routes", []part{{
			text: "A bridge is a switch made of software. The host's ends of the cables become its ports and have no addresses, so there are no routes that could clash. The containers are on one Ethernet.",
			acts: making(bridged()...),
			looks: []look{
				pings(netns0, "172.18.0.20", answered),
				pings(netns1, "172.18.0.10", answered),
				routesTo(host, subnet, "none"),
				neighbour(netns0, "172.18.0.20", "ceth0", "known by its MAC address"),
			},
		}}},
		{"The host is not on it", []part{{
			text: "The host made the switch, but has no address on it. It sends what is for the containers to its default gateway, who knows nothing of them; and they still have no route to the host's uplink.",
			looks: []look{
				pings(host, "172.18.0.10", silence),
				pings(netns0, uplink, unreachable),
			},
		}}},
		{"An address for the bridge", []part{{
			text: "The bridge is a link of the host, too. With an address it plugs the host into its own switch. Again a route comes with the address, and now it is one for all containers.",
			acts: making(address(host, "br0", "172.18.0.1")),
			looks: []look{
				routesTo(host, subnet, subnet+" dev br0"),
				pings(host, "172.18.0.10", answered),
				pings(host, "172.18.0.20", answered),
				pings(netns0, uplink, unreachable),
			},
		}}},
	}
}

func outSteps() []step {
	return []step{
		{"The host becomes the gateway", []part{{
			text: "A default route leads everything else to the host. It answers for its own addresses, also for that of its uplink. What is for others it drops: a host is not a router until it is told.",
			acts: making(gateway(netns0), gateway(netns1)),
			looks: []look{
				pings(netns0, uplink, answered),
				pings(netns0, internet, silence),
			},
		}}},
		{"Forwarding alone", []part{{
			text:  "Now the host forwards. The packets go out, and still no answer comes.",
			acts:  making(forwarding()),
			looks: []look{gets(netns0, "udp://198.51.100.1:80", silence)},
		}, {
			text:  "The far side shows why. It did get the datagram, from a private address, and the internet has no way back to that.",
			looks: []look{arrives("172.18.0.10")},
		}}},
		{"Masquerade", []part{{
			text: "So the host puts its own address in the place of the container's when a packet leaves by another link than the bridge, remembers whose it was, and does the reverse with the answer.",
			acts: making(masquerade()),
			looks: []look{
				gets(netns0, "http://198.51.100.1", client(uplink)),
				gets(netns1, "udp://198.51.100.1:80", client(uplink)),
				pings(netns0, internet, answered),
			},
		}}},
		{"The open door", []part{{
			text:  "A router forwards both ways. Masquerade hides the containers but does not protect them: a neighbour on the host's segment adds a route, and is in.",
			acts:  making(intruder()),
			looks: []look{pings(world.Neighbour, "172.18.0.10", answered)},
		}, {
			text: "Let in through the host only replies, and what was published. Docker does the same with a FORWARD policy of DROP; this rule spares the host's other traffic.",
			acts: making(door()),
			looks: []look{
				pings(world.Neighbour, "172.18.0.10", silence),
				gets(netns0, "http://198.51.100.1", client(uplink)),
				pings(netns1, "172.18.0.10", answered),
			},
		}}},
	}
}

func inSteps() []step {
	return []step{
		{"A server that nobody outside can call", []part{{
			text: "A web server in netns0. Its neighbour on the bridge reaches it. The outside can only call the host, and there nobody listens.",
			acts: []act{server{netns0, "netns0", ":5000", "ip netns exec netns0 cnet serve --addr :5000 &", 0}},
			looks: []look{
				gets(netns1, "http://172.18.0.10:5000", client("172.18.0.20")),
				gets(world.Outside, "http://203.0.113.2:5000", refused),
			},
		}}},
		{"Publishing the port", []part{{
			text: "The host rewrites the destination of what arrives for its port 5000, before it decides on the route. The server sees the client's own address. But the host's own connections do not arrive, they depart, and do not pass PREROUTING.",
			acts: making(publish("PREROUTING")),
			looks: []look{
				gets(world.Outside, "http://203.0.113.2:5000", client(far)),
				gets(world.Neighbour, "http://203.0.113.2:5000", client("203.0.113.3")),
				gets(host, "http://203.0.113.2:5000", refused),
			},
		}}},
		{"Publishing it to the host, too", []part{{
			text: "The same rule in OUTPUT, which the host's own connections pass, serves the host.",
			acts: making(publish("OUTPUT")),
			looks: []look{
				gets(host, "http://203.0.113.2:5000", client(uplink)),
				gets(world.Outside, "http://203.0.113.2:5000", client(far)),
			},
		}}},
	}
}

// The facts of the story. Of says what each goes with.

func mark() fact.Fact { return nat.Rule{On: iptables, Table: "filter", Chain: "ROOT_NS"} }

var iptables = nat.On{Backend: nat.Iptables}

func of(path string) []fact.Key { return []fact.Key{netns.KeyOf(path)} }

func cable(path, n string) fact.Fact {
	return veth.Pair{Name: "veth" + n, Peer: "ceth" + n, PeerNetns: path, Of: of(path)}
}

func address(path, link, ip string, of ...fact.Key) fact.Fact {
	return route.Address{Netns: path, Link: link, Prefix: netip.MustParsePrefix(ip + "/16"), Of: of}
}

func hostEnd(n, ip string) []fact.Fact {
	key := veth.KeyOf(host, "veth"+n)
	return []fact.Fact{
		route.Up{Link: "veth" + n, Of: []fact.Key{key}},
		address(host, "veth"+n, ip, key),
	}
}

func containerEnd(path, n, ip string) []fact.Fact {
	return []fact.Fact{
		route.Up{Netns: path, Link: "lo", Of: of(path)},
		route.Up{Netns: path, Link: "ceth" + n, Of: of(path)},
		address(path, "ceth"+n, ip, of(path)...),
	}
}

func bridged() []fact.Fact {
	br0 := []fact.Key{bridge.KeyOf("br0")}
	facts := []fact.Fact{bridge.Bridge{Name: "br0"}, route.Up{Link: "br0", Of: br0}}
	for _, c := range []struct{ path, n, ip string }{{netns0, "0", "172.18.0.10"}, {netns1, "1", "172.18.0.20"}} {
		end := []fact.Key{veth.KeyOf(host, "veth"+c.n)}
		facts = append(facts, netns.Named{Path: c.path}, cable(c.path, c.n),
			bridge.Port{Link: "veth" + c.n, Bridge: "br0", Of: end}, route.Up{Link: "veth" + c.n, Of: end})
		facts = append(facts, containerEnd(c.path, c.n, c.ip)...)
	}
	return facts
}

func gateway(path string) fact.Fact {
	return route.Route{Netns: path, Via: netip.MustParseAddr("172.18.0.1"), Of: of(path)}
}

func intruder() fact.Fact {
	return route.Route{Netns: world.Neighbour, Dst: netip.MustParsePrefix(subnet), Via: netip.MustParseAddr(uplink)}
}
