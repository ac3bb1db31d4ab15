package main

import "strconv"

// floorLane is n containers by the bare calls; one has a port if port is not 0.
func floorLane(tool string, n, port int) lane {
	count, number := strconv.Itoa(n), strconv.Itoa(port)
	return lane{tool: tool, x: n,
		setup: func(h *host) error { return h.run("floor", "net", "1") },
		round: func(h *host) error {
			return each(
				func() error { return h.time("up", "floor", "up", count, "1", number) },
				func() error { return h.timeGone("floor", "down", count, number) })
		}}
}

// floorPort is the k-th port of a map.
func floorPort(k int) lane {
	last := strconv.Itoa(firstPort + k - 1)
	return lane{tool: theFloor, x: k,
		setup: func(h *host) error {
			err := h.run("floor", "net", "1")
			if err == nil && k > 1 {
				err = h.run("floor", "publish", strconv.Itoa(firstPort), strconv.Itoa(firstPort+k-2))
			}
			return err
		},
		round: func(h *host) error {
			return each(
				func() error { return h.time("publish", "floor", "publish", last, last) },
				func() error { return h.time("unpublish", "floor", "unpublish", last, last) })
		}}
}

// floorPorts is n ports in one transaction.
func floorPorts(n int) lane {
	first, last := strconv.Itoa(firstPort), strconv.Itoa(firstPort+n-1)
	return lane{tool: theFloor,
		setup: func(h *host) error { return h.run("floor", "net", "1") },
		round: func(h *host) error {
			return each(
				func() error { return h.time("publish", "floor", "publish", first, last) },
				func() error { return h.time("unpublish", "floor", "unpublish", first, last) })
		}}
}

// floorCalls calls the last of k ports of a map.
func floorCalls(k, calls int) lane {
	return lane{tool: theFloor, x: k, world: true,
		setup: func(h *host) error {
			return each(
				func() error { return h.run("floor", "net", "1") },
				func() error { return h.run("floor", "up", "1", "1") },
				func() error {
					return h.run("floor", "publish", strconv.Itoa(firstPort), strconv.Itoa(firstPort+k-1))
				},
				func() error { return h.answer("/run/netns/c0", "10.90.0.2") })
		},
		round: func(h *host) error { return h.call(firstPort+k-1, calls) }}
}
