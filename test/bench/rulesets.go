package main

import (
	"fmt"
	"strings"
)

// restorePorts is n ports by one iptables-restore, and nftPorts by one nft -f:
// what the programs take for a rule set that somebody has written already.
func restorePorts(n int) lane {
	rules := func(verb string) []byte {
		var b strings.Builder
		b.WriteString("*nat\n")
		for _, p := range portNumbers(n) {
			fmt.Fprintf(&b, "%s PREROUTING -p tcp --dport %s -j DNAT --to-destination 10.80.0.2:80\n", verb, p)
		}
		b.WriteString("COMMIT\n")
		return []byte(b.String())
	}
	return lane{tool: "one iptables-restore",
		setup: func(h *host) error { h.version = output("iptables", "--version"); return nil },
		round: func(h *host) error {
			return each(
				func() error {
					return h.clock("publish", func() error { return h.command(rules("-A"), "iptables-restore", "--noflush") })
				},
				func() error { return h.time("unpublish", "iptables", "-t", "nat", "-F", "PREROUTING") })
		}}
}

func nftPorts(n int) lane {
	var b strings.Builder
	b.WriteString("table ip bench {\n map ports { type inet_service : ipv4_addr\n elements = { ")
	for _, p := range portNumbers(n) {
		b.WriteString(p + " : 10.80.0.2, ")
	}
	b.WriteString("}\n }\n chain prerouting { type nat hook prerouting priority dstnat; dnat to tcp dport map @ports:80; }\n}\n")
	return lane{tool: "one nft -f",
		setup: func(h *host) error { h.version = output("nft", "--version"); return nil },
		round: func(h *host) error {
			return each(
				func() error {
					return h.clock("publish", func() error { return h.command([]byte(b.String()), "nft", "-f", "-") })
				},
				func() error { return h.time("unpublish", "nft", "delete", "table", "ip", "bench") })
		}}
}
