package demo

// canary is the story of a new version that gets a part of the traffic.
func canary(s *stage) []step {
	return append(versionSteps(), weightSteps(s)...)
}

func versionSteps() []step {
	const tenth = "-m statistic --mode nth --every 10 --packet 0"
	return []step{
		{"Two versions", []part{{
			text:  "The old version of the shop runs, and the new one is to show that it can be trusted. Both are behind one address, which is a chain of rules; all goes to the old one.",
			acts:  append(serving("old", "new"), making(append(front(), to(11, ""))...)...),
			looks: []look{calls{caller, shop, 100, false}.get("old 100")},
		}}},
		{"One call in ten, by chance", []part{{
			text:  "A rule before the other takes a tenth for the new one.",
			acts:  append(breaking(to(11, "")), making(to(12, chance("0.1")), to(11, ""))...),
			looks: []look{calls{caller, shop, 400, false}.share(map[string]float64{"old": 0.9, "new": 0.1})},
		}}},
		{"One call in ten, by counting", []part{{
			text:  "A rule may count as well, and take each tenth.",
			acts:  append(breaking(to(11, ""), to(12, chance("0.1"))), making(to(12, tenth), to(11, ""))...),
			looks: []look{calls{caller, shop, 100, false}.get("new 10, old 90")},
		}}},
		{"Who stays", []part{{
			text:  "Rules of nat are asked for the first packet of a connection, and the kernel remembers the answer. Who keeps his connection keeps his version, however the weights change. And in that first packet there is no header of HTTP: to choose by one takes a proxy.",
			looks: []look{calls{caller, shop, 50, true}.get("new 50")},
		}, {
			acts: []act{undo{keeps: true}},
		}}},
	}
}

func weightSteps(s *stage) []step {
	return []step{
		{"The same with cnet", []part{{
			text: "A service chooses its backends by label, and weighs them by their version.",
			acts: []act{
				cnet{"label", "old", "app=shop", "version=v1"}, cnet{"label", "new", "app=shop", "version=v2"},
				cnet{"service", "create", "shop", "--network", "lab", "--port", "80", "--selector", "app=shop",
					"--weight", "v1=90", "--weight", "v2=10", "--mode", "exact"},
			},
			looks: []look{calls{caller, vip, 100, false}.get("new 10, old 90")},
		}, {
			text:  "Affinity keeps a client with the version that it was given first.",
			acts:  []act{cnet{"service", "set", "shop", "--affinity", "1m", "--weight", "v1=50", "--weight", "v2=50"}},
			looks: []look{calls{caller, vip, 50, false}.get("new 50")},
		}}},
		{"A ramp", []part{{
			text: "The new one proves itself, and gets more step by step. Meanwhile it is tried, and what each was given is read from the counters of the rules.",
			acts: []act{
				cnet{"service", "set", "shop", "--affinity", "0", "--weight", "v1=90", "--weight", "v2=10"},
				cnet{"service", "ramp", "shop", "v2", "--to", "50", "--step", "20", "--every", "300ms", "--try", "http:/"},
			},
			looks: []look{calls{caller, vip, 100, false}.get("new 50, old 50")},
		}, {
			text: "It fails, at the next step. The ramp notices, and the weights are again as they were before it began. To take a server out that is dead is for a check.",
			acts: []act{
				ending{},
				failing{"service", "ramp", "shop", "v2", "--to", "100", "--step", "25", "--every", "300ms", "--try", "http:/"},
			},
			looks: []look{calls{caller, vip, 100, false}.get("ECONNREFUSED 50, old 50")},
		}, {
			acts:  []act{cnet{"service", "set", "shop", "--check", "http:/", "--every", "100ms"}},
			looks: []look{calls{caller, vip, 100, false}.get("old 100")},
		}}},
		lastStep(s),
	}
}
