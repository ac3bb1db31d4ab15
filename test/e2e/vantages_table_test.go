package e2e

import "os"

// A vantage is a place that calls another, and what must come of it.
type vantage struct {
	name string
	from string // a namespace, or "" for the host
	to   dual
	port uint16
	// answer is the name of the server that must answer; if empty, none may.
	answer string
	// held says that nothing but a rule of cnet's keeps an answer from coming.
	held bool
	// refused says that a caller over TCP is told so at once. (Over UDP it is told
	// by ICMP, of which the kernel sends little.)
	refused bool
	sees    dual // the client's address as the server must see it; zero: any
	// unless names a column where it is the other way round, and note says why.
	unless func(column) bool
	note   string
}

// The containers of the table.
var (
	web      = pair("10.77.1.2", "fd77:1::2") // publishes ports
	sibling  = pair("10.77.1.3", "fd77:1::3")
	gateway  = pair("10.77.1.1", "fd77:1::1")
	stranger = pair("10.77.2.2", "fd77:2::2") // in a network of its own
	quiet    = pair("10.77.3.2", "fd77:3::2") // --icc=false, publishes a port
	quietGW  = pair("10.77.3.1", "fd77:3::1")
	otherGW  = pair("10.77.2.1", "fd77:2::1")
	vault    = pair("10.77.4.2", "fd77:4::2") // --internal
	vaulted  = pair("10.77.4.3", "fd77:4::3")
	vaultGW  = pair("10.77.4.1", "fd77:4::1")

	shop     = pair("10.76.0.1", "fd77:76::1") // services: of web,
	twofold  = pair("10.76.0.2", "fd77:76::2") // of both, on its first network,
	remote   = pair("10.76.0.3", "fd77:76::3") // of stranger,
	hush     = pair("10.76.0.4", "fd77:76::4") // of quiet,
	treasure = pair("10.76.0.5", "fd77:76::5") // of vault
	desert   = pair("10.76.0.6", "fd77:76::6") // and of nobody
)

// networks are the commands that make the table's containers, for a driver.
const networks = `
network create open   --driver DRIVER --subnet 10.77.1.0/24 --subnet6 fd77:1::/64
network create other  --driver DRIVER --subnet 10.77.2.0/24 --subnet6 fd77:2::/64
network create closed --driver DRIVER --subnet 10.77.3.0/24 --subnet6 fd77:3::/64 --icc=false
network create inner  --driver DRIVER --subnet 10.77.4.0/24 --subnet6 fd77:4::/64 --internal
create web      --network open --ip 10.77.1.2 --ip6 fd77:1::2
create sibling  --network open --ip 10.77.1.3 --ip6 fd77:1::3
create thief    --network open --ip 10.77.1.4 --ip6 fd77:1::4
create stranger --network other --ip 10.77.2.2 --ip6 fd77:2::2
create quiet    --network closed --ip 10.77.3.2 --ip6 fd77:3::2
create mute     --network closed --ip 10.77.3.3 --ip6 fd77:3::3
create both     --network open --ip 10.77.1.5 --ip6 fd77:1::5 --network other
create vault    --network inner --ip 10.77.4.2 --ip6 fd77:4::2
create vaulted  --network inner --ip 10.77.4.3 --ip6 fd77:4::3
publish web     8080:80 8080:80/udp 8000-8009:9000-9009 8000-8009:9000-9009/udp
publish web     127.0.0.1:8081:80 127.0.0.1:8081:80/udp
publish web     203.0.113.2:8082:80 203.0.113.2:8082:80/udp [2001:db8::2]:8082:80 [2001:db8::2]:8082:80/udp
publish quiet   8180:80 8180:80/udp
publish both    8280:80 8280:80/udp
service create shop    --network open --vip 10.76.0.1 --vip6 fd77:76::1 --port 80 --port 80/udp --backend web --publish 8480:80 --publish 8480:80/udp
service create twofold --network open --vip 10.76.0.2 --vip6 fd77:76::2 --port 81:80 --port 81:80/udp --backend both --publish 8481:81 --publish 8481:81/udp
service create remote  --network other --vip 10.76.0.3 --vip6 fd77:76::3 --port 80 --port 80/udp --backend stranger
service create hush    --network closed --vip 10.76.0.4 --vip6 fd77:76::4 --port 80 --port 80/udp --backend quiet
service create treasure --network inner --vip 10.76.0.5 --vip6 fd77:76::5 --port 80 --port 80/udp --backend vault
service create desert  --network open --vip 10.76.0.6 --vip6 fd77:76::6 --port 80 --port 80/udp --selector app=none
`

// attacks are what ill-meaning neighbours and containers do. A neighbour routes
// the containers' subnets, and the host's loopback addresses, to the host; a
// thief does the latter from inside; and an internal container adds the way out
// that it was not given.
const attacks = `
for net in 10.77.1.0/24 10.77.3.0/24 10.77.4.0/24; do ip -n neighbour route add $net via 203.0.113.2; done
ip -n neighbour route add 10.76.0.0/16 via 203.0.113.2
ip -n neighbour route add fd77:76::/64 via 2001:db8::2
for net in fd77:1::/64 fd77:3::/64 fd77:4::/64; do ip -n neighbour route add $net via 2001:db8::2; done
ip netns exec neighbour sysctl -qw net.ipv4.conf.all.route_localnet=1
ip -n neighbour route add 127.0.0.1 via 203.0.113.2
ip -n neighbour route add ::1 via 2001:db8::2
ip -n thief address flush dev lo
ip netns exec thief sysctl -qw net.ipv4.conf.all.route_localnet=1
ip -n thief route add 127.0.0.1 via 10.77.1.1
ip -n thief route add ::1 via fd77:1::1
ip -n vault route add default via 10.77.4.1
ip -n vault route add default via fd77:4::1
ip -n outside route add 10.77.4.0/24 via 203.0.113.2
ip -n outside route add fd77:4::/64 via 2001:db8::2
`

// hasBridgeNF: bridged packets can pass through iptables here (br_netfilter).
// Without it the bridge keeps the siblings of --icc=false apart.
var hasBridgeNF = exists("/proc/sys/net/bridge")

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// noLoopback6: packets to ::1 are dropped on any link but lo, and IPv6 has no
// route_localnet to allow it.
func noLoopback6(c column) bool { return c.ipv6 }

const noteLoopback6 = "IPv6 has no route_localnet, so ::1 does not reach containers; use another address of the host"

var vantages = []vantage{
	{name: "outside, by the host's address", from: "outside", to: uplink, port: 8080, answer: "web", sees: outside},
	{name: "outside, a range shifted", from: "outside", to: uplink, port: 8005, answer: "web 9005", sees: outside},
	{name: "neighbour, by the host's address", from: "neighbour", to: uplink, port: 8080, answer: "web", sees: neighbour},
	{name: "host, by its address", to: uplink, port: 8080, answer: "web"},
	{name: "host, a range shifted", to: uplink, port: 8005, answer: "web 9005"},
	{name: "host, by the gateway's address", to: gateway, port: 8080, answer: "web"},
	{name: "host, by another network's gateway", to: otherGW, port: 8080, answer: "web"},
	{name: "host, by localhost", to: localhost, port: 8080, answer: "web", sees: gateway, unless: noLoopback6, note: noteLoopback6},
	{name: "host, by localhost only", to: localhost, port: 8081, answer: "web", sees: gateway, unless: noLoopback6, note: noteLoopback6},
	{name: "host, directly", to: web, port: 80, answer: "web"},
	{name: "sibling, by the host's address", from: "sibling", to: uplink, port: 8080, answer: "web", sees: gateway},
	{name: "sibling, a range shifted", from: "sibling", to: uplink, port: 8005, answer: "web 9005", sees: gateway},
	{name: "sibling, by the gateway's address", from: "sibling", to: gateway, port: 8080, answer: "web", sees: gateway},
	{name: "sibling, directly", from: "sibling", to: web, port: 80, answer: "web", sees: sibling},
	{name: "itself, by the host's address", from: "web", to: uplink, port: 8080, answer: "web", sees: gateway},
	{name: "itself, by the gateway's address", from: "web", to: gateway, port: 8080, answer: "web", sees: gateway},
	{name: "another network, by the host's address", from: "stranger", to: uplink, port: 8080, answer: "web", sees: stranger},
	{name: "another network, by web's gateway", from: "stranger", to: gateway, port: 8080, answer: "web", sees: stranger},
	{name: "another network, a range shifted", from: "stranger", to: uplink, port: 8005, answer: "web 9005", sees: stranger},
	{name: "another network, by its own gateway", from: "stranger", to: otherGW, port: 8080, answer: "web", sees: stranger},
	{name: "in two networks: outside", from: "outside", to: uplink, port: 8280, answer: "both", sees: outside},
	{name: "in two networks: sibling of the first", from: "sibling", to: uplink, port: 8280, answer: "both"},
	{name: "in two networks: sibling of the second", from: "stranger", to: uplink, port: 8280, answer: "both"},
	{name: "in two networks: host, by the second's gateway", to: otherGW, port: 8280, answer: "both"},
	{name: "in two networks: itself", from: "both", to: uplink, port: 8280, answer: "both"},
	{name: "one address's port, by it, outside", from: "outside", to: uplink, port: 8082, answer: "web", sees: outside},
	{name: "one address's port, by it, sibling", from: "sibling", to: uplink, port: 8082, answer: "web", sees: gateway},
	{name: "container to outside", from: "web", to: outside, port: 80, answer: "outside", sees: uplink},
	{name: "host's own loopback service", to: localhost, port: 7000, answer: "host"},

	{name: "another network, directly", from: "stranger", to: web, port: 80, held: true},
	{name: "to another network, directly", from: "web", to: stranger, port: 80, held: true},
	{name: "neighbour, by an added route", from: "neighbour", to: web, port: 80, held: true},
	{name: "outside, a port of localhost only", from: "outside", to: uplink, port: 8081},
	{name: "one address's port, by another", from: "sibling", to: gateway, port: 8082},
	{name: "neighbour, a port of localhost, routed", from: "neighbour", to: localhost, port: 8081, held: true},
	{name: "neighbour, localhost routed", from: "neighbour", to: localhost, port: 8080, held: true},
	{name: "sibling, a port of localhost only", from: "sibling", to: gateway, port: 8081},
	{name: "container, a port of localhost, routed", from: "thief", to: localhost, port: 8081, held: true},
	{name: "container, localhost routed", from: "thief", to: localhost, port: 8080, held: true},
	{name: "container, the host's own localhost", from: "thief", to: localhost, port: 7000, held: true},

	{name: "icc=false: outside", from: "outside", to: uplink, port: 8180, answer: "quiet", sees: outside},
	{name: "icc=false: host, by its address", to: uplink, port: 8180, answer: "quiet"},
	{name: "icc=false: host, by localhost", to: localhost, port: 8180, answer: "quiet", sees: quietGW, unless: noLoopback6, note: noteLoopback6},
	{name: "icc=false: sibling, by the host's address", from: "mute", to: uplink, port: 8180, answer: "quiet", sees: quietGW},
	{name: "icc=false: itself, by the host's address", from: "quiet", to: uplink, port: 8180, answer: "quiet", sees: quietGW},
	{name: "icc=false: another network", from: "stranger", to: uplink, port: 8180, answer: "quiet", sees: stranger},
	{name: "icc=false: container to outside", from: "mute", to: outside, port: 80, answer: "outside", sees: uplink},
	{name: "icc=false: sibling, directly", from: "mute", to: quiet, port: 80, held: hasBridgeNF},
	{name: "icc=false: neighbour, by an added route", from: "neighbour", to: quiet, port: 80, held: true},

	{name: "internal: sibling, directly", from: "vaulted", to: vault, port: 80, answer: "vault", sees: vaulted},
	{name: "internal: to outside", from: "vault", to: outside, port: 80, held: true},
	{name: "internal: neighbour, by an added route", from: "neighbour", to: vault, port: 80, held: true},
	{name: "internal: another network, directly", from: "stranger", to: vault, port: 80, held: true},
	{name: "internal: to another network, directly", from: "vault", to: stranger, port: 80, held: true},
	{name: "internal: to a published port", from: "vault", to: uplink, port: 8080, held: true},

	{name: "service: sibling", from: "sibling", to: shop, port: 80, answer: "web", sees: gateway},
	{name: "service: itself", from: "web", to: shop, port: 80, answer: "web", sees: gateway},
	{name: "service: host", to: shop, port: 80, answer: "web", sees: gateway},
	{name: "service: outside, by its published port", from: "outside", to: uplink, port: 8480, answer: "web", sees: outside},
	{name: "service: host, by its published port", to: uplink, port: 8480, answer: "web"},
	{name: "service: host, by localhost", to: localhost, port: 8480, answer: "web", sees: gateway, unless: noLoopback6, note: noteLoopback6},
	{name: "service: sibling, by its published port", from: "sibling", to: uplink, port: 8480, answer: "web", sees: gateway},
	{name: "service: itself, by its published port", from: "web", to: uplink, port: 8480, answer: "web", sees: gateway},
	{name: "service: another network, by its published port", from: "stranger", to: uplink, port: 8480, answer: "web", sees: stranger},
	{name: "service: to both, sibling", from: "sibling", to: twofold, port: 81, answer: "both", sees: gateway},
	{name: "service: to both, the second network, published", from: "stranger", to: uplink, port: 8481, answer: "both"},
	{name: "service: from the second network", from: "both", to: remote, port: 80, answer: "stranger", sees: otherGW},
	{name: "service, icc=false: sibling", from: "mute", to: hush, port: 80, answer: "quiet", sees: quietGW},
	{name: "service, icc=false: itself", from: "quiet", to: hush, port: 80, answer: "quiet", sees: quietGW},
	{name: "service, icc=false: host", to: hush, port: 80, answer: "quiet"},
	{name: "service, internal: sibling", from: "vaulted", to: treasure, port: 80, answer: "vault", sees: vaultGW},
	{name: "service, internal: host", to: treasure, port: 80, answer: "vault", sees: vaultGW},

	{name: "service: another network", from: "stranger", to: shop, port: 80, refused: true},
	{name: "service: neighbour, by an added route", from: "neighbour", to: shop, port: 80, refused: true},
	{name: "service: sibling, another port", from: "sibling", to: shop, port: 82, refused: true},
	{name: "service: host, another port", to: shop, port: 82, refused: true},
	{name: "service: sibling, no backend", from: "sibling", to: desert, port: 80, refused: true},
	{name: "service: host, no backend", to: desert, port: 80, refused: true},
	{name: "service, internal: another network", from: "stranger", to: treasure, port: 80, refused: true},
}

// isolated is a network of --icc=false as it is made on a host without the
// module br_netfilter: the bridge itself keeps its ports apart.
const isolated = `
networks:
- {name: apart, icc: false, isolation: port, subnet: 10.77.5.0/24, subnet6: "fd77:5::/64"}
containers:
- name: solo
  networks: [{network: apart, ip: 10.77.5.2, ip6: "fd77:5::2"}]
  publish: [8380:80, 8380:80/udp]
- name: lone
  networks: [{network: apart, ip: 10.77.5.3, ip6: "fd77:5::3"}]
`

// detours lead the siblings to each other through the host, past the bridge.
const detours = `
ip -n solo route add 10.77.5.3 via 10.77.5.1
ip -n solo route add fd77:5::3 via fd77:5::1
ip -n lone route add 10.77.5.2 via 10.77.5.1
ip -n lone route add fd77:5::2 via fd77:5::1
`

var (
	solo   = pair("10.77.5.2", "fd77:5::2") // publishes a port
	soloGW = pair("10.77.5.1", "fd77:5::1")
	lone   = pair("10.77.5.3", "fd77:5::3")
)

// noHairpin: bridge-nf-call rewrites the destination within the bridge, which
// then sees a packet from one isolated port to another.
func noHairpin(c column) bool { return c.bridgeNF == 1 }

const noteHairpin = "if br_netfilter is loaded later and its settings are 1, the network must be made anew"

var apart = []vantage{
	{name: "outside, by the host's address", from: "outside", to: uplink, port: 8380, answer: "solo", sees: outside},
	{name: "host, by its address", to: uplink, port: 8380, answer: "solo"},
	{name: "host, by localhost", to: localhost, port: 8380, answer: "solo", sees: soloGW, unless: noLoopback6, note: noteLoopback6},
	{name: "sibling, by the host's address", from: "lone", to: uplink, port: 8380, answer: "solo", sees: soloGW, unless: noHairpin, note: noteHairpin},
	{name: "itself, by the host's address", from: "solo", to: uplink, port: 8380, answer: "solo", sees: soloGW, unless: noHairpin, note: noteHairpin},
	{name: "container to outside", from: "lone", to: outside, port: 80, answer: "outside", sees: uplink},
	{name: "sibling, directly", from: "lone", to: solo, port: 80},
	{name: "sibling, through the host", from: "solo", to: lone, port: 80},
}

// servers are who listens where, over TCP and UDP.
var servers = []struct{ in, name, addr string }{
	{"web", "web", ":80"},
	{"web", "web 9005", ":9005"},
	{"stranger", "stranger", ":80"},
	{"quiet", "quiet", ":80"},
	{"both", "both", ":80"},
	{"vault", "vault", ":80"},
	{"solo", "solo", ":80"},
	{"lone", "lone", ":80"},
	{"outside", "outside", ":80"},
	{"vpn", "vpn", ":80"},
	{"", "host", "127.0.0.1:7000"},
	{"", "host", "[::1]:7000"},
}
