package main

import (
	"fmt"
	"strconv"
	"strings"
)

// sizes are how large the scenarios are.
type sizes struct {
	hosts  int   // of a topology in one command
	many   []int // containers in one command
	ports  []int // published before the one that is measured
	conns  []int // published while connections are counted
	calls  int   // connections of one round
	crowd  int   // containers while one more is made
	rounds func(int) int
}

func sizesOf(quick bool) sizes {
	if quick {
		return sizes{hosts: 3, many: []int{2}, ports: []int{1, 10}, conns: []int{1, 10}, calls: 100, crowd: 5,
			rounds: func(int) int { return 1 }}
	}
	return sizes{hosts: 50, many: []int{10, 100, 300, 1000}, ports: []int{1, 1000, 5000}, conns: []int{1, 1000, 5000, 10000},
		calls: 5000, crowd: 5000, rounds: func(n int) int { return n }}
}

const (
	theFloor = "floor"
	iptables = "cnet, iptables"
	nftables = "cnet, nftables"
	mapped   = "floor, one port"
	idle     = "a program that does nothing"
)

// scenarios are all that is measured. The quick ones leave out the peers.
func scenarios(quick bool) []scenario {
	z := sizesOf(quick)
	list := []scenario{
		oneContainer(z),
		nothingToDo(z),
		fiftyHosts(z),
		manyContainers(z),
		nextPort(z),
		manyPorts(z),
		connections(z),
		largeState(z),
	}
	for i := range list {
		if quick {
			list[i].lanes = own(list[i].lanes)
		}
	}
	return list
}

// own are the lanes of cnet and of what it is compared with first.
func own(lanes []lane) (list []lane) {
	for _, l := range lanes {
		if strings.HasPrefix(l.tool, "cnet") || strings.HasPrefix(l.tool, theFloor) || l.tool == idle {
			list = append(list, l)
		}
	}
	return list
}

func oneContainer(z sizes) scenario {
	s := scenario{name: "one", title: "One container's network, and away again", unit: "ms", floor: mapped, rounds: z.rounds(21)}
	s.lanes = append([]lane{
		floorLane(theFloor, 1, 0), floorLane(mapped, 1, 8080), cnetOne("iptables"), cnetOne("nftables"),
		ipCommands(), ipBatch(), cniPlugins("iptables"), cniPlugins("nftables"), netavark(),
	}, engines()...)
	for i := range s.lanes {
		s.lanes[i].x = 1
	}
	return s
}

func fiftyHosts(z sizes) scenario {
	n := z.hosts
	return scenario{name: "hosts", title: fmt.Sprintf("%d hosts on a switch, in one command", n), unit: "ms", floor: theFloor, rounds: z.rounds(7), lanes: []lane{
		floorLane(theFloor, n, 0), cnetMany("iptables", n), cnetMany("nftables", n), mininet(n),
	}}
}

func manyContainers(z sizes) scenario {
	s := scenario{name: "many", title: "Containers on one network, in one command", unit: "ms", counts: "containers", floor: theFloor, rounds: z.rounds(5)}
	for _, n := range z.many {
		s.lanes = append(s.lanes, floorLane(theFloor, n, 0), cnetMany("iptables", n), cnetMany("nftables", n))
	}
	return s
}

func nothingToDo(z sizes) scenario {
	return scenario{name: "start", title: "Commands with nothing to do", unit: "ms", floor: idle, rounds: z.rounds(41), lanes: []lane{
		{tool: idle, setup: ready, round: func(h *host) error { return h.time("run", "nothing") }},
		cnetStart("cnet --help", "--help"),
		cnetStart("cnet list", "list"),
		cnetStart("cnet create --if-not-exists", "create", "web", "--if-not-exists"),
	}}
}

func nextPort(z sizes) scenario {
	s := scenario{name: "port", title: "One more published port", unit: "ms", counts: "ports", floor: theFloor, rounds: z.rounds(15)}
	for _, k := range z.ports {
		s.lanes = append(s.lanes, floorPort(k), cnetPort("iptables", k), cnetPort("nftables", k), cniPort("nftables", k))
		if k <= 1000 { // at 5,000 the preparation alone takes two minutes
			s.lanes = append(s.lanes, cniPort("iptables", k))
		}
	}
	return s
}

func manyPorts(z sizes) scenario {
	n := z.ports[len(z.ports)-1]
	return scenario{name: "ports", title: fmt.Sprintf("%d ports of one container, in one command", n), unit: "ms", floor: theFloor, rounds: z.rounds(5), lanes: []lane{
		floorPorts(n), restorePorts(n), nftPorts(n), cnetPorts("iptables", n), cnetPorts("nftables", n), cniPorts("nftables", n),
	}}
}

func connections(z sizes) scenario {
	s := scenario{name: "conns", title: "New connections to the last published port", unit: "per second", counts: "ports", floor: theFloor, rounds: z.rounds(9)}
	for _, k := range z.conns {
		s.lanes = append(s.lanes, floorCalls(k, z.calls), cnetCalls("iptables", k, z.calls), cnetCalls("nftables", k, z.calls))
	}
	return s
}

func largeState(z sizes) scenario {
	s := scenario{name: "state", title: "One container more, and away again", unit: "ms", counts: "containers", rounds: z.rounds(9)}
	for _, n := range []int{1, z.crowd} {
		s.lanes = append(s.lanes, cnetState("iptables", n), cnetState("nftables", n))
	}
	return s
}

func ready(*host) error { return nil }

// firstPort is the first of the host's ports that are published in numbers.
const firstPort = 10000

// portNumbers are n ports of the host, from the first.
func portNumbers(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = strconv.Itoa(firstPort + i)
	}
	return list
}
