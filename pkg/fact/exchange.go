package fact

// exchanging moves the steps of a plan by which one fact replaces another of its
// key together, where its kind can do both in one transaction: else nothing would
// hold between them, while all the rest of the plan is done. Where the new one
// stands on what the plan makes, it is exchanged there, and else where the old
// one is broken.
func exchanging(steps []Step) []Step {
	late, early := replaced(steps)
	if len(late)+len(early) == 0 {
		return steps
	}
	var rest []Step
	breaks, makes := make(map[string][]Step), make(map[string][]Step) // by their batch
	for _, s := range steps {
		switch k := s.Fact.Key(); {
		case s.Verb == Break && late[k]:
			breaks[batchOf(s)] = append(breaks[batchOf(s)], s)
		case s.Verb == Make && early[k]:
			makes[batchOf(s)] = append(makes[batchOf(s)], s)
		default:
			rest = append(rest, s)
		}
	}
	last := make(map[string]int) // where the last of a batch is broken
	for i, s := range rest {
		if s.Verb == Break {
			last[batchOf(s)] = i
		}
	}
	out := make([]Step, 0, len(steps))
	for i, s := range rest {
		b := batchOf(s)
		if s.Verb == Make {
			out = append(out, breaks[b]...)
			delete(breaks, b)
		}
		out = append(out, s)
		if s.Verb == Break && last[b] == i {
			out = append(out, makes[b]...)
		}
	}
	return out
}

func batchOf(s Step) string {
	if b, ok := s.Fact.(Batched); ok {
		return b.Batch()
	}
	return ""
}

// replaced are the keys of the facts that are broken late, with those that make
// what replaces them, and of those that are made early.
func replaced(steps []Step) (late, early map[Key]bool) {
	late, early = make(map[Key]bool), make(map[Key]bool)
	old, fresh := make(map[Key]Fact), make(map[Key]Fact)
	for _, s := range steps {
		k := s.Fact.Key()
		if _, ok := s.Fact.(Exchanger); ok && s.Verb == Break {
			old[k] = s.Fact
		} else if s.Verb == Make {
			if fresh[k] = s.Fact; old[k] != nil {
				early[k] = true
			}
		}
	}
	for again := true; again; {
		again = false
		later := func(k Key) { late[k], again = true, true; delete(early, k) }
		for k := range early {
			if anyOf(StandsOn(fresh[k]), late) || standsOnFresh(fresh[k], fresh, early) {
				later(k)
			}
		}
		for k := range late { // what these stand on cannot go before them
			for _, on := range StandsOn(old[k]) {
				if old[on] != nil && !late[on] {
					later(on)
				}
			}
		}
	}
	return late, early
}

func standsOnFresh(f Fact, fresh map[Key]Fact, early map[Key]bool) bool {
	for _, k := range StandsOn(f) {
		if fresh[k] != nil && !early[k] {
			return true
		}
	}
	return false
}
