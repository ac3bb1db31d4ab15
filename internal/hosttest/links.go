package hosttest

import (
	"encoding/json"
	"net"
	"sort"
	"strings"
	"testing"
)

// object is one object of the JSON that ip(8) and bridge(8) print.
type object map[string]any

func (o object) text(key string) string {
	s, _ := o[key].(string)
	return s
}

func (o object) number(key string) int {
	n, _ := o[key].(float64)
	return int(n)
}

// line is the object as one line, keys sorted.
func (o object) line(kind string) string {
	b, _ := json.Marshal(o)
	return kind + " " + string(b)
}

func parse(t testing.TB, ns string, argv ...string) (objects []object) {
	t.Helper()
	out := strings.TrimSpace(run(t, ns, argv...))
	if out == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(out), &objects); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
	return objects
}

// linkTable holds the links of each namespace, the host's under "".
type linkTable struct {
	links  map[string][]object
	ports  map[string][]object
	ids    map[string]map[int]string // names of namespaces by their number in another
	chosen map[string]bool           // MAC addresses that the kernel chose
}

func readLinks(t testing.TB, chosen func(testing.TB, string) []string) linkTable {
	t.Helper()
	table := linkTable{map[string][]object{}, map[string][]object{}, map[string]map[int]string{}, map[string]bool{}}
	for _, ns := range append([]string{""}, namespaces()...) {
		table.links[ns] = parse(t, ns, "ip", "-d", "-j", "link")
		table.ports[ns] = parse(t, ns, "bridge", "-d", "-j", "link")
		table.ids[ns] = namespaceIDs(t, ns)
		for _, mac := range chosen(t, ns) {
			table.chosen[mac] = true
		}
	}
	return table
}

// chosenMACs asks /sys, which must be mounted inside the namespace to show it.
func chosenMACs(t testing.TB, ns string) []string {
	t.Helper()
	const script = `
		[ "$0" = host ] || { mount --make-rprivate / && mount -t sysfs sysfs /sys; } || exit 0
		for l in /sys/class/net/*; do
			[ ! -e $l/address ] || [ "$(cat $l/addr_assign_type)" = 3 ] || cat $l/address
		done`
	if ns == "" {
		return strings.Fields(run(t, ns, "sh", "-c", script, "host"))
	}
	return strings.Fields(run(t, ns, "unshare", "-m", "sh", "-c", script, "inside"))
}

func (lt linkTable) describe(ns string) (lines []string) {
	for _, l := range lt.links[ns] {
		l["peer"] = lt.peer(ns, l)
		lines = append(lines, lt.plain(l).line("link"))
	}
	for _, p := range lt.ports[ns] {
		lines = append(lines, lt.plain(p).line("port"))
	}
	sort.Strings(lines)
	return lines
}

// peer names the other end of a veth in the namespace ns. In the same
// namespace it is known by name, else by its number and that of its namespace.
func (lt linkTable) peer(ns string, l object) string {
	if kind(l) != "veth" {
		return ""
	}
	if name := l.text("link"); name != "" {
		return where(ns) + " " + name
	}
	there := lt.ids[ns][l.number("link_netnsid")]
	for _, other := range lt.links[there] {
		if other.number("ifindex") == l.number("link_index") && other.number("link_index") == l.number("ifindex") {
			return where(there) + " " + other.text("ifname")
		}
	}
	return "elsewhere"
}

// namespaceIDs are the names of namespaces by the numbers that they have in ns.
// The host has no name.
func namespaceIDs(t testing.TB, ns string) map[int]string {
	t.Helper()
	names := map[int]string{}
	for _, id := range parse(t, ns, "ip", "-j", "netns", "list-id") {
		names[id.number("nsid")] = id.text("name")
	}
	return names
}

func kind(l object) string {
	info, _ := l["linkinfo"].(map[string]any)
	return object(info).text("info_kind")
}

// passing are the fields of links that are numbers by order of creation, timers,
// or follow some time after a change.
var passing = []string{
	"ifindex", "link_index", "link_netnsid", "link", "operstate", "state", "bridge_id", "root_id",
	"root_port", "root_path_cost", "designated_bridge", "designated_root", "designated_port",
	"designated_cost", "id", "no", "topology_change", "topology_change_ack", "topology_change_detected",
	"hello_timer", "tcn_timer", "topology_change_timer", "gc_timer", "message_age_timer",
	"forward_delay_timer", "hold_timer", "config_pending", "qdisc", "cost", "priority",
	"multicast_router", "parentdev", "mc_router",
	"tso_max_size", "tso_max_segs", // a bridge keeps those of its first port
}

func (lt linkTable) plain(o object) object {
	clean := make(object, len(o))
	for k, v := range o {
		switch v := v.(type) {
		case map[string]any:
			clean[k] = lt.plain(v)
		case []any:
			clean[k] = steady(v)
		case string:
			if lt.chosen[v] {
				clean[k] = "chosen by the kernel"
				continue
			}
			clean[k] = v
		default:
			clean[k] = v
		}
	}
	for _, k := range passing {
		delete(clean, k)
	}
	return clean
}

// steady leaves out the flags that tell of the carrier.
func steady(list []any) []any {
	kept := []any{}
	for _, v := range list {
		switch v {
		case "NO-CARRIER", "LOWER_UP", "M-DOWN", "linkdown", "dead":
		default:
			kept = append(kept, v)
		}
	}
	return kept
}

func addresses(t testing.TB, ns string) (lines []string) {
	t.Helper()
	for _, l := range parse(t, ns, "ip", "-j", "addr") {
		infos, _ := l["addr_info"].([]any)
		for _, info := range infos {
			a := object(info.(map[string]any))
			// What IPv6 gives itself comes later; its cause is a field of the link.
			own := strings.HasPrefix(a.text("local"), "fe80:") && a["nodad"] == nil
			if _, err := net.ParseMAC(a.text("local")); err == nil || own {
				continue
			}
			delete(a, "tentative")
			lines = append(lines, a.line("address "+l.text("ifname")))
		}
	}
	sort.Strings(lines)
	return lines
}

func routes(t testing.TB, ns string) (lines []string) {
	t.Helper()
	for _, family := range []string{"-4", "-6"} {
		for _, r := range parse(t, ns, "ip", family, "-j", "route", "show", "table", "all") {
			if family == "-6" && r.ownIPv6() {
				continue
			}
			if flags, ok := r["flags"].([]any); ok {
				r["flags"] = steady(flags)
			}
			lines = append(lines, r.line("route "+family))
		}
		for _, r := range parse(t, ns, "ip", family, "-j", "rule") {
			lines = append(lines, r.line("rule "+family))
		}
	}
	for _, n := range parse(t, ns, "ip", "-j", "neigh", "show", "nud", "permanent") {
		lines = append(lines, n.line("neighbour"))
	}
	sort.Strings(lines)
	return lines
}

// ownIPv6 reports whether it is a route that the kernel adds some time after a
// link has come up or an address was added.
func (o object) ownIPv6() bool {
	dst := o.text("dst")
	return o.text("table") == "local" || o.text("type") == "anycast" ||
		strings.HasPrefix(dst, "ff00::") || strings.HasPrefix(dst, "fe80::")
}
