package e2e

import (
	"net/netip"
	"regexp"
)

// A beside is somebody who shares the host with cnet, and what comes of it.
type beside struct {
	name    string   // a script in testdata/neighbours
	needs   []string // programs, without any of which the row is skipped
	backend string   // what cnet keeps its rules with
	oneMake bool     // bound to a make of iptables, so not run over the legacy one
	ipv4    bool     // IPv4 only
	stops   []string // calls that it stops whatever cnet does
	// refused is why cnet makes no network at all; says is what it tells though it
	// makes one. Both are regular expressions, empty for nothing.
	refused, says string
	// lost is what check names after the neighbour has started again, a regular
	// expression; empty where cnet's rules are all there and none wins over them.
	lost string
	// front is the rules of FORWARD that then stand before cnet's.
	front []string
	// later is what check names after the first start of the neighbour, if cnet was
	// there before; empty where that is what lost says.
	later string
	relay bool      // it masquerades for others: forwarding stays on after cnet
	named string    // what `cnet doctor` calls an error, and can mend
	also  []vantage // further calls
	// What is otherwise over nftables, where nothing stands first: further calls that
	// it stops, what doctor calls an error then, and whether its start again leaves
	// cnet's rules alone.
	nftStops []string
	nftNamed string
	nftKept  bool
	note     string // for docs/neighbours.md
}

// The calls that are tried in each row, by the names that stops uses.
const (
	callOut     = "out"
	callIn      = "in"
	callHost    = "host"
	callLocal   = "127.0.0.1"
	callSibling = "sibling"
	callHairpin = "sibling, by the host"
	callClosed  = "closed"
)

var promises = []vantage{
	{name: callOut, from: "web", to: outside, port: 80, answer: "outside", sees: uplink},
	{name: callIn, from: "outside", to: uplink, port: 8080, answer: "web", sees: outside},
	{name: callHost, to: uplink, port: 8080, answer: "web"},
	{name: callLocal, to: localhost, port: 8080, answer: "web", sees: gateway, unless: noLoopback6},
	{name: callSibling, from: "sibling", to: web, port: 80, answer: "web", sees: sibling},
	{name: callHairpin, from: "sibling", to: uplink, port: 8080, answer: "web", sees: gateway},
	{name: callHost, to: shop, port: 80, answer: "web", sees: gateway},
	{name: callHairpin, from: "sibling", to: shop, port: 80, answer: "web", sees: gateway},
	{name: callClosed, from: "neighbour", to: shop, port: 80},
	{name: callClosed, from: "outside", to: uplink, port: 9005},
	{name: callClosed, from: "neighbour", to: web, port: 9005},
	{name: callClosed, from: "neighbour", to: web, port: 80},
}

// byVPN is a call to an address that only the VPN leads to.
var byVPN = []vantage{{
	name: "out, by the VPN", from: "web", port: 80, answer: "vpn",
	to: dual{v4: netip.MustParseAddr("198.51.100.1")}, sees: dual{v4: netip.MustParseAddr("10.8.0.2")},
}}

// forwarded are the calls that pass the hook forward. Between siblings that is so
// while br_netfilter hands bridged packets to the firewall.
var forwarded = []string{callOut, callIn, callSibling, callHairpin}

// flushed is what check says when all rules of cnet's went.
const flushed = `(?s)absent +Forwarded IPv4 packets.*and \d+ more that go.*absent +New IPv4 connections that leave.*absent +New IPv4 connections to an address`

// tableGone is what it says over nftables.
const tableGone = `(?s)absent +The host has a table inet cnet of nf_tables\..*and \d+ more that go`

// policyDrop is a policy that cnet's jump, where it stands first, keeps from its
// packets.
const policyDrop = `Chain FORWARD of table filter`

// beaten is what check says when a rule of FORWARD wins over cnet's, and no more.
func beaten(rule string) string {
	one := `differs +Forwarded IPv[46] packets pass cnet's chain CNET-FORWARD first\.\n` +
		` +ip6?tables -A FORWARD ` + regexp.QuoteMeta(rule) + ` stands before it\n( +\S.*\n)*`
	return `^(` + one + `)+$`
}

var besides = []beside{
	{name: "nobody", note: "The host as most are."},
	{name: "foreign-rules", nftKept: true, lost: flushed, relay: true,
		note: "Rules and chains in raw, mangle, nat, filter and security, both families. Loading them anew by iptables-restore flushes cnet's; `cnet repair` puts them back."},
	{name: "forward-drop", nftStops: forwarded, nftNamed: policyDrop, note: "cnet's jump stands first, so the policy is not asked for its packets."},
	{name: "input-drop", nftStops: forwarded, nftNamed: policyDrop, note: "What is for a container is forwarded, and passes no INPUT."},
	{name: "rp-filter", note: "Strict everywhere. Each container has one way back."},
	{name: "docker-classic", nftStops: forwarded, nftNamed: policyDrop, relay: true, front: []string{"DOCKER-USER", "DOCKER-ISOLATION-STAGE-1"}, later: beaten("-i docker0 ! -o docker0 -j ACCEPT"),
		note: "The jumps that it puts first again are not about cnet's packets. What it accepts from docker0 would reach containers past their published ports."},
	{name: "docker-28", nftStops: forwarded, nftNamed: policyDrop, relay: true, lost: beaten("-j DOCKER-FORWARD"), front: []string{"DOCKER-USER", "DOCKER-FORWARD"},
		note: "It accepts what comes from docker0, as above. The drops in raw are for docker's own addresses."},
	{name: "kube-proxy", relay: true, later: beaten("-j KUBE-FORWARD"),
		note: "It accepts what is marked 0x4000. cnet marks nothing, and cannot know what others mark."},
	{name: "libvirt", relay: true, later: beaten("-j LIBVIRT_FWI"),
		note: "Behind cnet's jump its REJECT rules for virbr0 are not asked about packets of containers."},
	{name: "podman", needs: []string{"nft"}, relay: true, note: "A table of its own, which accepts."},
	{name: "nftables-conf", oneMake: true, needs: []string{"nft"}, stops: forwarded, lost: flushed, named: `Chain forward of table inet filter`,
		note: "A drop in one table cannot be taken back by an accept in another. Its owner must let cnet's links pass, there by what `cnet doctor` prints, and in the file. Its start flushes all rules of all programs; then `cnet repair`."},
	{name: "nftables-same-names", needs: []string{"nft"}, relay: true,
		note: "nft's rules in tables by the names of iptables' own. iptables does not show them, and leaves them alone."},
	{name: "flowtable", needs: []string{"nft"}, note: "Flows that take the short cut are translated there too."},
	{name: "legacy-drop", oneMake: true, needs: []string{"iptables-legacy"}, stops: forwarded, named: `Chain FORWARD of table filter`,
		says: `this host has rules of iptables-legacy, too`,
		note: "A packet has to pass both makes of iptables. Let cnet's pass there, too, by what `cnet doctor` prints."},
	{name: "legacy-policy", oneMake: true, needs: []string{"iptables-legacy"}, stops: forwarded, named: `Chain FORWARD of table filter`,
		says: `this host has rules of iptables-legacy, too`,
		note: "The same by a policy alone."},
	{name: "ufw", oneMake: true, nftStops: forwarded, nftNamed: policyDrop, needs: []string{"ufw"}, note: "The real one. A reload leaves cnet's jump where it is, first."},
	{name: "ufw-rules", nftStops: forwarded, nftNamed: policyDrop, note: "The same rules by hand."},
	{name: "firewalld", nftKept: true, needs: []string{"firewalld", "dbus-daemon"}, stops: []string{callOut, callSibling}, lost: flushed, named: `Chain filter_FORWARD of table inet firewalld`,
		note: "The real one. What is published passes; what is sent out is rejected by the zone: `firewall-cmd --permanent --zone=trusted --add-interface=cnet-NETWORK` and `firewall-cmd --reload`. Its start flushes the rules of iptables; then `cnet repair`."},
	{name: "firewalld-rules", nftKept: true, needs: []string{"nft"}, stops: []string{callOut, callSibling}, lost: flushed, named: `Chain filter_FORWARD of table inet firewalld`, note: "The same rules by hand."},
	{name: "no-br-netfilter", note: "Siblings talk past the firewall; their replies to calls of published ports come by the host."},
	{name: "bridge-nf-off", note: "The same with the module there."},
	{name: "vpn", also: byVPN, note: "Containers go out by the VPN, with its address."},
	{name: "wireguard", also: byVPN, note: "The same by policy routing."},
	{name: "route-overlap", refused: `it overlaps the route 10\.77\.0\.0/16`,
		note: "Choose another subnet, or say `--allow-overlap`."},
	{name: "policy-route", refused: `it overlaps the route 10\.0\.0\.0/8`,
		note: "Routes of all tables count."},
	{name: "ipv6-off", ipv4: true, note: "`--ipv6` is refused, and IPv4 goes on."},
	{name: "read-only-sysctl", refused: `read-only file system`,
		note: "What was made is taken back. A container needs `--privileged`, or a sandbox in it: `cnet sandbox`."},
}
