package main

import "fmt"

// goal is a bound on what was measured.
type goal struct {
	what  string
	value func(*report) (float64, bool)
	least bool // the bound is the least that is good, else the most
	bound float64
	unit  string
}

// goals are the bounds that cnet is built to, for the largest of each size.
func goals(z sizes) []goal {
	n, k, c := last(z.many), last(z.ports), last(z.conns)
	ways := []struct {
		metric, name  string
		mininet, each float64
	}{{"up", "up", 10, 2}, {"gone", "down", 25, 1.5}}
	var list []goal
	add := func(what string, value func(*report) (float64, bool), least bool, bound float64, unit string) {
		list = append(list, goal{what, value, least, bound, unit})
	}
	one := func(tool, metric string) key { return key{"one", tool, 1, metric} }
	floorOne := func(metric string) key { return key{"one", mapped, 1, metric} }

	add("one up: cnet, nftables / floor", ratio(one(nftables, "up"), floorOne("up")), false, 1.5, "x")
	add("one up: cnet, iptables / floor", ratio(one(iptables, "up"), floorOne("up")), false, 2.5, "x")
	for _, backend := range []string{"iptables", "nftables"} {
		add("one up: CNI, "+backend+" / cnet, nftables", ratio(one(cniTool(backend), "up"), one(nftables, "up")), true, 8, "x")
	}
	add("one up: netavark / cnet, nftables", ratio(one("netavark", "up"), one(nftables, "up")), true, 6, "x")
	for _, tool := range []string{nftables, iptables} {
		many := func(metric string) key { return key{"many", tool, n, metric} }
		floorMany := func(metric string) key { return key{"many", theFloor, n, metric} }
		port := func(k int) key { return key{"port", tool, k, "publish"} }
		add("one down: "+tool+" / floor", ratio(one(tool, "gone"), floorOne("gone")), false, 1.3, "x")
		for _, way := range ways {
			add(fmt.Sprintf("%d hosts %s: mininet / %s", z.hosts, way.name, tool),
				ratio(key{"hosts", "mininet", z.hosts, way.metric}, key{"hosts", tool, z.hosts, way.metric}), true, way.mininet, "x")
			add(fmt.Sprintf("%d %s: %s / floor", n, way.name, tool), ratio(many(way.metric), floorMany(way.metric)), false, 1.4, "x")
			add(fmt.Sprintf("%d %s, each: %s", n, way.name, tool), per(many(way.metric), float64(n)), false, way.each, "ms")
		}
		add(fmt.Sprintf("port %d / port %d: %s", k, z.ports[0], tool), ratio(port(k), port(z.ports[0])), false, 1.2, "x")
		add(fmt.Sprintf("%d ports at once: %s", k, tool), per(key{"ports", tool, 0, "publish"}, 1), false, 100, "ms")
		for _, metric := range []string{"create kB", "delete kB"} {
			add(fmt.Sprintf("%s of %d / of 1: %s", metric, z.crowd, tool),
				ratio(key{"state", tool, z.crowd, metric}, key{"state", tool, 1, metric}), false, 1.2, "x")
		}
	}
	add(fmt.Sprintf("connections at %d ports / at 1: %s", c, nftables),
		ratio(key{"conns", nftables, c, "rate"}, key{"conns", nftables, z.conns[0], "rate"}), true, 0.95, "x")
	add(fmt.Sprintf("connections at %d ports: nftables / iptables", c),
		ratio(key{"conns", nftables, c, "rate"}, key{"conns", iptables, c, "rate"}), true, 4, "x")
	for _, tool := range []string{"cnet --help", "cnet list", "cnet create --if-not-exists"} {
		add(tool+" - nothing", difference(key{"start", tool, 0, "run"}, key{"start", idle, 0, "run"}), false, 2, "ms")
	}
	return list
}

func last(list []int) int { return list[len(list)-1] }

func ratio(of, to key) func(*report) (float64, bool) {
	return both(of, to, func(a, b float64) float64 { return a / b })
}

func difference(of, to key) func(*report) (float64, bool) {
	return both(of, to, func(a, b float64) float64 { return a - b })
}

// per is a figure of n things for each of them.
func per(of key, n float64) func(*report) (float64, bool) {
	return both(of, of, func(a, _ float64) float64 { return a / n })
}

// both is a figure made of the medians of two series, where there are both.
func both(of, to key, f func(a, b float64) float64) func(*report) (float64, bool) {
	return func(r *report) (float64, bool) {
		a, b := r.find(of), r.find(to)
		if a == nil || b == nil {
			return 0, false
		}
		return f(median(a.Values), median(b.Values)), true
	}
}

// goals is the table of the bounds, of those that this run can tell of.
func (r *report) goals(z sizes) grid {
	g := grid{title: "Goals", head: []string{"", "here", "bound", ""}}
	for _, goal := range goals(z) {
		v, ok := goal.value(r)
		if !ok {
			continue
		}
		sign, met := "at most ", v <= goal.bound
		if goal.least {
			sign, met = "at least ", v >= goal.bound
		}
		verdict := "met"
		if !met {
			verdict = "not met"
		}
		g.rows = append(g.rows, []string{goal.what, number(v) + " " + goal.unit, fmt.Sprintf("%s%g %s", sign, goal.bound, goal.unit), verdict})
	}
	return g
}
