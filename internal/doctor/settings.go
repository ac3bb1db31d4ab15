package doctor

import (
	"fmt"
	"strconv"
)

// reversePath: with the strict rp_filter a packet is dropped when the way back to its
// source is another link (RFC 3704). The larger of the values of "all" and of
// the link counts.
func reversePath(h host) []Finding {
	ways := make(map[string]bool)
	for _, r := range h.uplinks(false) {
		ways[r.Link] = true
	}
	var strict string
	for _, name := range append([]string{"all"}, sortedKeys(ways)...) {
		if h.settings["net.ipv4.conf."+name+".rp_filter"] == "1" && h.settings["net.ipv4.conf.all.rp_filter"] != "2" && strict == "" {
			strict = "net.ipv4.conf." + name + ".rp_filter"
		}
	}
	if strict == "" {
		return nil
	}
	f := Finding{Severity: Note, About: "rp_filter", Seen: "sysctl " + strict, Advice: "Nothing.",
		Say: "rp_filter is strict: what comes in by a link that is not the way back to its sender is dropped. With one way out that hurts nothing."}
	if len(ways) > 1 {
		f.Severity, f.Mend, f.Advice = Warning, "sysctl -w net.ipv4.conf.all.rp_filter=2", ""
		f.Say = fmt.Sprintf("rp_filter is strict, and the host has %d ways out: callers of a published port who come by the second are dropped.", len(ways))
	}
	return one(f)
}

// bridgeFilter: whether frames within a bridge pass iptables.
func bridgeFilter(h host) []Finding {
	const call = "net.bridge.bridge-nf-call-iptables"
	value, loaded := h.settings[call]
	f := Finding{Severity: Note, About: "br_netfilter"}
	switch {
	case !loaded:
		f.Seen = "ls -d /proc/sys/net/bridge"
		f.Say = "br_netfilter is not loaded: what containers of one network send each other does not pass iptables. Published ports work without it, and --icc=false then keeps bridge ports apart."
		f.Advice = "Nothing; modprobe br_netfilter if rules of your own should see these frames."
	case value == "1":
		f.Seen = "sysctl " + call
		f.Say = "br_netfilter is on: what containers of one network send each other passes iptables, too, foreign rules included. cnet's own rules let it pass."
		f.Advice = "Nothing; sysctl -w " + call + "=0 if it should not."
	default:
		return nil
	}
	return one(f)
}

// conntrack: when the table is full, new connections are dropped.
func conntrack(h host) []Finding {
	const name = "net.netfilter.nf_conntrack_"
	count, err1 := strconv.Atoi(h.settings[name+"count"])
	limit, err2 := strconv.Atoi(h.settings[name+"max"])
	if err1 != nil || err2 != nil || limit == 0 || count*100 < limit*80 {
		return nil
	}
	f := Finding{Severity: Warning, About: "conntrack", Seen: "sysctl " + name + "count " + name + "max",
		Say:  fmt.Sprintf("The table of connections holds %d of at most %d; when it is full, new ones are dropped.", count, limit),
		Mend: fmt.Sprintf("sysctl -w %smax=%d", name, 4*limit)}
	if count >= limit {
		f.Severity = Error
		f.Say = fmt.Sprintf("The table of connections is full, with %d: new connections are dropped.", count)
	}
	return one(f)
}

// userNamespaces: without them a sandbox needs root.
func userNamespaces(h host) []Finding {
	severity := Note
	if !h.root {
		severity = Warning
	}
	for _, o := range []struct{ name, refuses, allows string }{
		{"kernel.unprivileged_userns_clone", "0", "1"},
		{"user.max_user_namespaces", "0", "10000"},
		{"kernel.apparmor_restrict_unprivileged_userns", "1", "0"},
	} {
		if h.settings[o.name] == o.refuses {
			return one(Finding{Severity: severity, About: "userns", Seen: "sysctl " + o.name,
				Say:  "Users may not make user namespaces: cnet sandbox and cnet demo need root here. Networks do not need them.",
				Mend: "sysctl -w " + o.name + "=" + o.allows})
		}
	}
	return nil
}
