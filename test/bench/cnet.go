package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// perContainer is how many of many ports a container has.
const perContainer = 50

func cnetTool(firewall string) string { return "cnet, " + firewall }

// lab makes a network; its subnet has room for all that is asked of it.
func lab(h *host, firewall string) error {
	h.version, _, _ = strings.Cut(output("cnet", "version"), "\n")
	return h.run("cnet", "network", "create", "lab", "--subnet", "10.80.0.0/20", "--firewall", firewall, "--dns=false")
}

func cnetOne(firewall string) lane {
	return lane{tool: cnetTool(firewall),
		setup: func(h *host) error { return lab(h, firewall) },
		round: func(h *host) error {
			return each(
				func() error {
					return h.time("up", "cnet", "create", "web", "--network", "lab", "--publish", "8080:80")
				},
				func() error { return h.timeGone("cnet", "delete", "web") })
		}}
}

func cnetMany(firewall string, n int) lane {
	return lane{tool: cnetTool(firewall), x: n,
		setup: func(h *host) error { return lab(h, firewall) },
		round: func(h *host) error {
			return each(
				func() error {
					return h.time("up", "cnet", "create", "--count", strconv.Itoa(n), "--prefix", "c", "--network", "lab")
				},
				func() error { return h.timeGone("cnet", "delete", "--all") })
		}}
}

func cnetStart(tool string, words ...string) lane {
	return lane{tool: tool,
		setup: func(h *host) error {
			return each(
				func() error { return h.run("cnet", "network", "create", "lab", "--dns=false") },
				func() error { return h.run("cnet", "create", "web", "--network", "lab", "--publish", "8080:80") })
		},
		round: func(h *host) error { return h.time("run", append([]string{"cnet"}, words...)...) }}
}

// cnetPort is the k-th port, of a container of its own; the others have fifty each.
func cnetPort(firewall string, k int) lane {
	spec := fmt.Sprintf("%d:80", firstPort+k-1)
	return lane{tool: cnetTool(firewall), x: k,
		setup: func(h *host) error {
			return each(
				func() error { return lab(h, firewall) },
				func() error { return h.run("cnet", "create", "web", "--network", "lab") },
				func() error { return apply(h, spread(k-1)) })
		},
		round: func(h *host) error {
			return each(
				func() error { return h.time("publish", "cnet", "publish", "web", spec) },
				func() error { return h.time("unpublish", "cnet", "unpublish", "web", spec) })
		}}
}

// spread is a topology of containers with k ports between them.
func spread(k int) string {
	var b strings.Builder
	ports := portNumbers(k)
	for i := 0; len(ports) > 0; i++ {
		n := perContainer
		if n > len(ports) {
			n = len(ports)
		}
		fmt.Fprintf(&b, "- name: c%d\n  networks: [{network: lab}]\n  publish: [", i)
		for _, p := range ports[:n] {
			fmt.Fprintf(&b, "%q, ", p+":80")
		}
		b.WriteString("]\n")
		ports = ports[n:]
	}
	return b.String()
}

// apply adds containers to the topology.
func apply(h *host, containers string) error {
	if containers == "" {
		return nil
	}
	file := filepath.Join(h.dir, "topology.yaml")
	if err := os.WriteFile(file, []byte("containers:\n"+containers), 0o644); err != nil {
		return err
	}
	return h.run("cnet", "apply", "-f", file)
}

// publishing is the command that publishes n ports of web.
func publishing(n int) []string {
	words := []string{"cnet", "publish", "web"}
	for _, p := range portNumbers(n) {
		words = append(words, p+":80")
	}
	return words
}

// cnetPorts is n ports of one container in one command.
func cnetPorts(firewall string, n int) lane {
	return lane{tool: cnetTool(firewall),
		setup: func(h *host) error {
			return each(
				func() error { return lab(h, firewall) },
				func() error { return h.run("cnet", "create", "web", "--network", "lab") })
		},
		round: func(h *host) error {
			return each(
				func() error { return h.time("publish", publishing(n)...) },
				func() error { return h.time("unpublish", "cnet", "unpublish", "web") })
		}}
}

func cnetCalls(firewall string, k, calls int) lane {
	l := cnetPorts(firewall, k)
	return lane{tool: cnetTool(firewall), x: k, world: true,
		setup: func(h *host) error {
			return each(
				func() error { return l.setup(h) },
				func() error { return h.run(publishing(k)...) },
				func() error { return h.answer("/run/netns/web", "10.80.0.2") })
		},
		round: func(h *host) error { return h.call(firstPort+k-1, calls) }}
}

// cnetState is one container more where there are n, on networks of a thousand.
func cnetState(firewall string, n int) lane {
	return lane{tool: cnetTool(firewall), x: n,
		setup: func(h *host) error {
			if err := lab(h, firewall); err != nil {
				return err
			}
			for made := 0; made < n; made += 1000 {
				network, count := fmt.Sprintf("n%d", made/1000), n-made
				if count > 1000 {
					count = 1000
				}
				subnet := fmt.Sprintf("10.81.%d.0/20", made/1000*16)
				err := each(
					func() error {
						return h.run("cnet", "network", "create", network, "--subnet", subnet, "--firewall", firewall, "--dns=false")
					},
					func() error {
						return h.run("cnet", "create", "--count", strconv.Itoa(count), "--prefix", network+"c", "--network", network)
					})
				if err != nil {
					return err
				}
			}
			return nil
		},
		round: func(h *host) error {
			return each(
				func() error { return h.weigh("create", "cnet", "create", "web", "--network", "lab") },
				func() error { return h.weigh("delete", "cnet", "delete", "web") })
		}}
}
