package demo

import (
	"fmt"
	"strings"

	"github.com/cnetlab/cnet/pkg/bridge"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
	"github.com/cnetlab/cnet/pkg/sysctl"
)

// discovery is the story of an address that no link has.
func discovery(s *stage) []step {
	all := append(backendSteps(), shareSteps()...)
	return append(append(all, ownServiceSteps()...), serviceSteps(s)...)
}

const (
	caller = "/run/netns/client"
	shop   = "http://10.96.0.10"
	vip    = "http://10.76.0.1"
)

// serving makes containers with a server in each.
func serving(names ...string) (acts []act) {
	acts = append(acts, cnet{"network", "create", "lab", "--firewall", "iptables"}, cnet{"create", "client", "--network", "lab", "--ip", "10.77.0.3"})
	for i, name := range names {
		acts = append(acts,
			cnet{"create", name, "--network", "lab", "--ip", fmt.Sprintf("10.77.0.%d", 11+i)},
			serverOf(name))
	}
	return acts
}

func serverOf(name string) act {
	return server{"/run/netns/" + name, name, ":80", "ip netns exec " + name + " cnet serve --addr :80 &", 0}
}

func backendSteps() []step {
	return []step{
		{"Three that can answer", []part{{
			text: "Three containers run the same server, and a fourth wants to call it. Which of them? It could have a list, which somebody must keep; it could ask a name server, and go on with what it heard while backends come and go; or it could call one address, and leave the choice to the network.",
			acts: serving("b1", "b2", "b3"),
			looks: []look{
				gets(caller, "http://10.77.0.11", client("10.77.0.3")),
				gets(caller, "http://10.77.0.13", client("10.77.0.3")),
			},
		}}},
		{"An address that no link has", []part{{
			text:  "10.96.0.10 is nobody's. What is for it goes to the client's gateway, which is the host; and the host rewrites it before it decides on a route. A chain of rules is all that the address is. What it leaves is refused. Siblings would answer each other past the host, so they see the host's address; and the host must not tell them that there is a shorter way.",
			acts:  making(front()...),
			looks: []look{calls{caller, shop, 20, false}.get("ECONNREFUSED 20")},
		}, {
			text:  "One rule, and it is the address of b1.",
			acts:  making(to(11, "")),
			looks: []look{calls{caller, shop, 20, false}.get("b1 20")},
		}}},
	}
}

// front is what stands before the backends.
func front() []fact.Fact {
	return []fact.Fact{
		nat.Rule{On: iptables, Table: "nat", Chain: "SHOP"},
		rule("nat", "PREROUTING", "-d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j SHOP"),
		rule("nat", "POSTROUTING", "-s 10.77.0.0/24 -d 10.77.0.0/24 -j MASQUERADE"),
		nat.Rule{On: iptables, Table: "filter", Chain: "FORWARD", First: true, Args: strings.Fields("-d 10.96.0.10/32 -p tcp -j REJECT --reject-with tcp-reset")},
		sysctl.Setting{Name: "net.ipv4.conf.all.send_redirects", Value: "0"},
		sysctl.Setting{Name: "net.ipv4.conf.cnet-lab.send_redirects", Value: "0"},
	}
}

// to is a rule of the chain that leads to a backend, for the calls that a match takes.
func to(last int, match string) fact.Fact {
	return rule("nat", "SHOP", strings.TrimSpace(fmt.Sprintf("-p tcp %s", match))+fmt.Sprintf(" -j DNAT --to-destination 10.77.0.%d:80", last))
}

// chance is the match of a part of the calls.
func chance(part string) string { return "-m statistic --mode random --probability " + part }

func shareSteps() []step {
	third := map[string]float64{"b1": 1. / 3, "b2": 1. / 3, "b3": 1. / 3}
	lost := map[string]float64{"b1": 1. / 3, "b2": 2. / 9, "b3": 4. / 27, "ECONNREFUSED": 8. / 27}
	return []step{
		{"A third in each rule", []part{{
			text:  "A rule may match by chance. With a third in each of three, the first takes a third of the calls, the second a third of the others, and so on: two thirds of two thirds of two thirds are left over. Three calls in ten find nobody.",
			acts:  append(breaking(to(11, "")), making(to(11, chance("0.33333333")), to(12, chance("0.33333333")), to(13, chance("0.33333333")))...),
			looks: []look{calls{caller, shop, 300, false}.share(lost)},
		}}},
		{"A third, a half, and the rest", []part{{
			text:  "A rule is asked only for what those before it have left. So the second takes half of that, and the last one all.",
			acts:  append(breaking(to(13, chance("0.33333333")), to(12, chance("0.33333333"))), making(to(12, chance("0.5")), to(13, ""))...),
			looks: []look{calls{caller, shop, 300, false}.share(third)},
		}}},
		{"The dead", []part{{
			text:  "The rules know nothing of servers. That of b3 ends, and a third of the calls go on to where it was.",
			acts:  []act{ending{}},
			looks: []look{calls{caller, shop, 300, false}.share(map[string]float64{"b1": 1. / 3, "b2": 1. / 3, "ECONNREFUSED": 1. / 3})},
		}, {
			acts: []act{serverOf("b3")},
		}}},
	}
}

func ownServiceSteps() []step {
	hairpin := bridge.Hairpin{Link: "b1-eth0"}
	return []step{
		{"A backend that calls itself", []part{{
			text:  "b1 may call the address, too, and be given itself. The frame would have to leave the bridge by the port that it came by, and a bridge does not do that: those calls are lost.",
			looks: []look{calls{"/run/netns/b1", shop, 30, false}.share(map[string]float64{"ETIMEDOUT": 1. / 3})},
		}, {
			text:  "Unless the port is told to.",
			acts:  making(hairpin),
			looks: []look{calls{"/run/netns/b1", shop, 30, false}.share(map[string]float64{"b1": 1. / 3, "b2": 1. / 3, "b3": 1. / 3})},
		}, {
			acts: []act{undo{keeps: true}},
		}}},
	}
}

func serviceSteps(s *stage) []step {
	third := map[string]float64{"b1": 1. / 3, "b2": 1. / 3, "b3": 1. / 3}
	return []step{
		{"The same with cnet", []part{{
			text: "A service is all of this in one line: the address is from a pool of its own, and the shares are right for any number of backends. It answers the client, and a backend.",
			acts: []act{cnet{"service", "create", "shop", "--network", "lab", "--port", "80", "--backend", "b1", "--backend", "b2", "--backend", "b3"}},
			looks: []look{
				calls{caller, vip, 300, false}.share(third),
				calls{"/run/netns/b1", vip, 300, false}.share(third),
			},
		}, {
			text:  "In turn instead of by chance, everybody gets the same.",
			acts:  []act{cnet{"service", "set", "shop", "--mode", "exact"}},
			looks: []look{calls{caller, vip, 30, false}.get("b1 10, b2 10, b3 10")},
		}}},
		{"Who comes and goes", []part{{
			text:  "When the command has returned, nobody is led to who is gone.",
			acts:  []act{cnet{"delete", "b2"}},
			looks: []look{calls{caller, vip, 30, false}.get("b1 15, b3 15")},
		}, {
			text:  "A server that ends is no such command: its container is there.",
			acts:  []act{ending{}},
			looks: []look{calls{caller, vip, 30, false}.get("ECONNREFUSED 15, b1 15")},
		}, {
			text:  "A check finds it out. A small process asks each backend, and those that do not answer get no calls until they do.",
			acts:  []act{cnet{"service", "set", "shop", "--check", "http:/", "--every", "100ms"}},
			looks: []look{calls{caller, vip, 30, false}.get("b1 30")},
		}, {
			acts:  []act{serverOf("b3")},
			looks: []look{calls{caller, vip, 30, false}.get("b1 15, b3 15")},
		}}},
		lastStep(s),
	}
}

// lastStep takes back what was made with cnet.
func lastStep(s *stage) step {
	return step{"As if nothing had happened", []part{{
		acts:  []act{undo{}, cnet{"reset"}},
		looks: []look{s.unchanged()},
	}}}
}
