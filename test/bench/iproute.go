package main

import (
	"os"
	"path/filepath"
	"strings"
)

// ipNetwork makes the bridge that the containers of ip(8) go to.
const ipNetwork = `set -e
ip link add br0 address 0a:77:00:00:00:01 type bridge
ip address add 10.91.0.1/16 dev br0
ip link set br0 up
sysctl -qw net.ipv4.ip_forward=1`

const ipUp = `set -e
ip netns add c0
ip link add c0 type veth peer name eth0 netns c0
ip link set c0 master br0 up
ip -n c0 link set lo up
ip -n c0 address add 10.91.0.2/16 dev eth0
ip -n c0 link set eth0 up
ip -n c0 route add default via 10.91.0.1`

const ipDown = `ip link del c0 && ip netns del c0`

// ipCommands is a shell script of seven commands.
func ipCommands() lane {
	return lane{tool: "seven ip commands",
		setup: func(h *host) error {
			h.version = output("ip", "-V")
			return h.run("sh", "-c", ipNetwork)
		},
		round: func(h *host) error {
			return each(
				func() error { return h.time("up", "sh", "-c", ipUp) },
				func() error { return h.timeGone("sh", "-c", ipDown) })
		}}
}

// ipBatch is the same in two ip -batch: a batch stays in one namespace.
func ipBatch() lane {
	return lane{tool: "ip -batch",
		setup: func(h *host) error {
			h.version = output("ip", "-V")
			files := map[string][]string{"up": nil, "inside": nil, "down": {"link del c0", "netns del c0"}}
			for _, line := range strings.Split(ipUp, "\n")[1:] {
				if words, ok := strings.CutPrefix(line, "ip -n c0 "); ok {
					files["inside"] = append(files["inside"], words)
				} else {
					files["up"] = append(files["up"], strings.TrimPrefix(line, "ip "))
				}
			}
			for name, lines := range files {
				if err := os.WriteFile(filepath.Join(h.dir, name), []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
					return err
				}
			}
			return h.run("sh", "-c", ipNetwork)
		},
		round: func(h *host) error {
			return each(
				func() error {
					return h.time("up", "sh", "-c", "cd "+h.dir+" && ip -batch up && ip -n c0 -batch inside")
				},
				func() error { return h.timeGone("ip", "-batch", filepath.Join(h.dir, "down")) })
		}}
}
