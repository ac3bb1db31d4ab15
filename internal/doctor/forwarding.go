package doctor

import (
	"slices"

	"github.com/cnetlab/cnet/internal/topology"
)

const (
	forward4 = "net.ipv4.ip_forward"
	forward6 = "net.ipv6.conf.all.forwarding"
)

// forwarding: a host that does not forward drops what is not for itself.
func forwarding(h host) []Finding {
	if !h.exist() {
		if h.settings[forward4] != "0" {
			return nil
		}
		return one(Finding{Severity: Note, About: "forwarding", Seen: "sysctl " + forward4,
			Say:    "The host does not forward packets yet.",
			Advice: "Nothing: cnet switches it on with the first network, and off after the last."})
	}
	var list []Finding
	t := h.own.Topology
	for _, f := range []struct {
		family, name string
		needs        func(topology.Network) bool
	}{
		{"IPv4", forward4, t.Forwards},
		{"IPv6", forward6, func(n topology.Network) bool { return n.IPv6 && t.Forwards(n) }},
	} {
		if h.settings[f.name] == "0" && slices.ContainsFunc(t.Networks, f.needs) {
			list = append(list, Finding{Severity: Error, About: "forwarding", Seen: "sysctl " + f.name, Mend: "cnet repair",
				Say: "The host does not forward " + f.family + " any more: containers reach nothing outside, and no service; published ports do not answer from there."})
		}
	}
	return list
}
