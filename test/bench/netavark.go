package main

import (
	"context"
	"fmt"
	"os"

	"github.com/cnetlab/cnet/pkg/netns"
)

// netavark is podman's program for networks, called as podman calls it.
func netavark() lane {
	var program string
	up := func(h *host, name string, ip, port int) error {
		if err := (netns.Named{Path: "/run/netns/" + name}).Make(context.Background()); err != nil {
			return err
		}
		return h.command(netavarkConf(name, ip, port), program, "--config", "/run", "setup", "/run/netns/"+name)
	}
	return lane{tool: "netavark",
		setup: func(h *host) (err error) {
			if program, err = find("netavark", "/usr/lib/podman", "/usr/libexec/podman"); err != nil {
				return err
			}
			h.version = output(program, "--version")
			return each(
				func() error { return os.MkdirAll("/run/netns", 0o755) },
				func() error { return up(h, "keep", 2, 8079) }) // the bridge stays
		},
		round: func(h *host) error {
			return each(
				func() error { return h.clock("up", func() error { return up(h, "c0", 3, 8080) }) },
				func() error {
					return h.clockGone(func() error {
						err := h.command(netavarkConf("c0", 3, 8080), program, "--config", "/run", "teardown", "/run/netns/c0")
						if err != nil {
							return err
						}
						return netns.Named{Path: "/run/netns/c0"}.Break(context.Background())
					})
				})
		}}
}

func netavarkConf(name string, ip, port int) []byte {
	return []byte(fmt.Sprintf(`{"container_id": %[1]q, "container_name": %[1]q,
"port_mappings": [{"container_ip": "", "container_port": 80, "host_ip": "", "host_port": %[3]d, "protocol": "tcp", "range": 1}],
"networks": {"bench": {"interface_name": "eth0", "static_ips": ["10.89.0.%[2]d"]}},
"network_info": {"bench": {"name": "bench", "id": "53ce4390f2adb1681eb1a90ec8b48c49c015e0a8d336c197637e7f65e365fa9e",
 "driver": "bridge", "network_interface": "bench0", "dns_enabled": false, "internal": false, "ipv6_enabled": false,
 "subnets": [{"gateway": "10.89.0.1", "subnet": "10.89.0.0/16"}], "ipam_options": {"driver": "host-local"}}}}`, name, ip, port))
}
