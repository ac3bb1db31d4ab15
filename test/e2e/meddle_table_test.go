package e2e

// calm is a network that nobody meddles with: its streams go on whatever is done
// elsewhere.
const calm = `
network create calm --subnet 10.99.0.0/24
create api --network calm --ip 10.99.0.2 --publish 8081:80
create far --network calm --ip 10.99.0.3
`

// calmStreams with those of others.
func calmStreams(more map[string]string) map[string]string {
	all := map[string]string{
		"calm":           "far 10.99.0.2:80",
		"calm-published": "outside 203.0.113.2:8081",
		"calm-host":      "host 10.99.0.2:80",
	}
	for name, s := range more {
		all[name] = s
	}
	return all
}

var lab = `
network create lab
create web db --network lab
publish web 8080:80
` + calm

var labStreams = calmStreams(map[string]string{
	"published": "outside 203.0.113.2:8080",
	"sibling":   "db 10.77.0.2:80",
})

var shopped = `
network create lab
create web db caller --network lab
service create shop --network lab --port 80 --backend web --backend db --publish 8080:80
` + calm

var shopStreams = calmStreams(map[string]string{
	"published": "outside 203.0.113.2:8080",
	"vip":       "caller 10.76.0.1:80",
	"host":      "host 10.76.0.1:80",
})

// meddled are all hosts and all that is done to them.
var meddled = map[string]meddledHost{
	"links":              {typed: lab, echo: "api web", streams: labStreams, rows: meddledLinks},
	"ways":               {typed: lab, echo: "api web", streams: labStreams, rows: meddledWays},
	"rules":              {typed: lab, echo: "api web", streams: labStreams, rows: meddledRules},
	"firewall":           {typed: lab, echo: "api web", streams: labStreams, rows: meddledFirewall},
	"services":           {typed: shopped, echo: "api web db", streams: shopStreams, rows: meddledServices},
	"services, nftables": {backend: viaNftables, typed: shopped, echo: "api web db", streams: shopStreams, rows: meddledNftServices},
	"nftables":           {backend: viaNftables, typed: lab, echo: "api web", streams: labStreams, rows: meddledNftables},
	"proxies":            {typed: proxied, echo: "api web", streams: labStreams, rows: meddledProxies},
	"proxies, nftables":  {backend: viaNftables, typed: proxied, echo: "api web", streams: labStreams, rows: meddledNftProxies},
	"pod": {
		typed: "network create lab\ncreate web --network lab --publish 8080:80\ncreate log side --share web\ndelete web\n" + calm,
		echo:  "api log", streams: calmStreams(map[string]string{"published": "outside 203.0.113.2:8080"}), rows: meddledPod,
	},
	"others": {
		typed: `
network create six --ipv6
create s --network six --publish 8086:80
network create cables --driver ptp --ipv6
create p --network cables --publish 8087:80
network create apart --icc=false
apply -f testdata/isolated.yaml
` + calm,
		echo: "api s p",
		streams: calmStreams(map[string]string{
			"six": "outside [2001:db8::2]:8086", "ptp": "outside 203.0.113.2:8087", "ptp6": "outside [2001:db8::2]:8087",
		}),
		rows: meddledOthers,
	},
}

// anew is a cable with all that goes with it.
const anew = "make veth.pair, make route.noaddrgen, make bridge.port, make bridge.hairpin, make route.up, " +
	"make route.noaddrgen, make route.address, make route.up, make route.route"

// What stands in the way: namespaces, bridges, cables, ports, files.
var meddledLinks = []meddling{
	{name: "namespace deleted", sh: "ip netns del web", cuts: "published sibling",
		finds: "namespace: absent There is a network namespace web.",
		steps: "break veth.pair, make netns.named, make route.up, " + anew,
	},
	{name: "namespace let go", sh: "umount /run/netns/web; rm /run/netns/web", cuts: "published sibling",
		finds: "namespace: absent There is a network namespace web.",
		steps: "break veth.pair, make netns.named, make route.up, " + anew,
	},
	{name: "a file for a namespace", sh: "ip netns del web; echo > /run/netns/web", cuts: "published sibling",
		finds: "namespace: differs There is a network namespace web. /run/netns/web is not a network namespace",
		steps: "break veth.pair, break netns.named, make netns.named, make route.up, " + anew,
	},
	{name: "bridge deleted", sh: "ip link del cnet-lab",
		finds: "switch: absent There is a bridge cnet-lab.",
		steps: "make bridge.bridge, make sysctl.setting, make route.address, make route.up, make sysctl.setting, make bridge.port, make bridge.port, make bridge.hairpin",
	},
	{name: "cable deleted", sh: "ip link del web-eth0",
		finds: "cable: absent A cable leads from web-eth0 to web's eth0.",
		steps: anew,
	},
	{name: "container's end deleted", sh: "ip -n web link del eth0",
		finds: "cable: absent A cable leads from web-eth0 to web's eth0.",
		steps: anew,
	},
	{name: "container's end moved out", sh: "ip -n web link set eth0 netns 1 name moved",
		finds: "cable: differs A cable leads from web-eth0 to web's eth0. there is no web's eth0",
		steps: "break veth.pair, " + anew,
	},
	{name: "container's end renamed", sh: "ip -n web link set eth0 name lan0",
		finds: "cable: differs A cable leads from web-eth0 to web's eth0. there is no web's eth0",
		steps: "break veth.pair, " + anew,
	},
	{name: "bridge MTU", sh: "ip link set cnet-lab mtu 1300",
		finds: "switch: differs There is a bridge cnet-lab. MTU is 1300, not 1500; packets of another size may be lost",
		steps: "mend bridge.bridge",
	},
	{name: "host end MTU", sh: "ip link set web-eth0 mtu 1300",
		finds: "cable: differs A cable leads from web-eth0 to web's eth0. MTU of web-eth0 is 1300, not 1500; packets of another size may be lost",
		steps: "mend veth.pair",
	},
	{name: "container's end MTU", sh: "ip -n web link set eth0 mtu 1300",
		finds: "cable: differs A cable leads from web-eth0 to web's eth0. MTU of eth0 is 1300, not 1500; packets of another size may be lost",
		steps: "mend veth.pair",
	},
	{name: "container's end MAC", sh: "ip -n web link set eth0 address 0a:00:00:00:00:09",
		finds: "cable: differs A cable leads from web-eth0 to web's eth0. MAC of eth0 is 0a:00:00:00:00:09, not 0a:77:0a:4d:00:02; what is sent to it may not arrive",
		steps: "mend veth.pair",
	},
	{name: "alias lost", sh: "ip link set web-eth0 alias ''",
		finds: `cable: differs A cable leads from web-eth0 to web's eth0. web-eth0 has lost its alias "cnet container web"`,
		steps: "mend veth.pair",
	},
	{name: "port out of the bridge", sh: "ip link set web-eth0 nomaster",
		finds: "switch: absent web-eth0 is a port of bridge cnet-lab.",
		steps: "make bridge.port, make bridge.hairpin",
	},
	{name: "port in another bridge", sh: "ip link add br9 type bridge; ip link set web-eth0 master br9", after: "ip link del br9",
		finds: "switch: differs web-eth0 is a port of bridge cnet-lab. web-eth0 is a port of another link than cnet-lab",
		steps: "mend bridge.port, mend bridge.hairpin",
	},
	{name: "hairpin off", sh: "bridge link set dev web-eth0 hairpin off",
		finds: "switch: differs Port web-eth0 may send frames back the way they came. hairpin of web-eth0 is off",
		steps: "mend bridge.hairpin",
	},
	{name: "a link of cnet's that nobody wants", sh: "ip link add old0 type veth peer name old1; ip link set old0 alias 'cnet container old'",
		finds: "cable: stray A cable leads from old0 to somewhere.",
		steps: "break veth.pair",
	},
	{name: "hosts file edited", sh: "echo 192.0.2.1 more >> /etc/netns/web/hosts",
		finds: "name file: differs web has its own hosts. /etc/netns/web/hosts has other content",
		steps: "mend netns.file",
	},
	{name: "hosts file deleted", sh: "rm /etc/netns/web/hosts",
		finds: "name file: absent web has its own hosts.",
		steps: "make netns.file",
	},
	{name: "files gone", sh: "rm -r /etc/netns",
		finds: "name file: absent api has its own hosts.",
		steps: "make netns.file, make netns.file, make netns.file, make netns.file, make netns.file, make netns.file, make netns.file, make netns.file",
	},
}

// What leads there: links up, addresses, routes, settings.
var meddledWays = []meddling{
	{name: "bridge down", sh: "ip link set cnet-lab down",
		finds: "address and route: differs cnet-lab is up. cnet-lab is down",
		steps: "mend route.up",
	},
	{name: "host end down", sh: "ip link set web-eth0 down",
		finds: "address and route: differs web-eth0 is up. web-eth0 is down",
		steps: "mend route.up",
	},
	{name: "container's end down", sh: "ip -n web link set eth0 down",
		finds: "address and route: differs web's eth0 is up. web's eth0 is down",
		steps: "mend route.up, make route.route",
	},
	{name: "lo down", sh: "ip -n web link set lo down",
		finds: "address and route: differs web's lo is up. web's lo is down",
		steps: "mend route.up",
	},
	{name: "container's address deleted", sh: "ip -n web addr del 10.77.0.2/24 dev eth0",
		finds: "address and route: absent web's eth0 has address 10.77.0.2/24.",
		steps: "make route.address, make route.route",
	},
	{name: "container's address in a wider net", sh: "ip -n web addr add 10.77.0.2/16 dev eth0; ip -n web addr del 10.77.0.2/24 dev eth0",
		finds: "address and route: differs web's eth0 has address 10.77.0.2/24. address is 10.77.0.2/16, not 10.77.0.2/24",
		steps: "mend route.address",
	},
	{name: "container's address for a time", sh: "ip -n web addr change 10.77.0.2/24 dev eth0 valid_lft 900 preferred_lft 900",
		finds: "address and route: differs web's eth0 has address 10.77.0.2/24. 10.77.0.2/24 will end by itself",
		steps: "mend route.address",
	},
	{name: "gateway's address deleted", sh: "ip addr del 10.77.0.1/24 dev cnet-lab",
		finds: "address and route: absent cnet-lab has address 10.77.0.1/24.",
		steps: "make route.address",
	},
	{name: "default route deleted", sh: "ip -n web route del default",
		finds: "address and route: absent Packets for everywhere else leave web by gateway 10.77.0.1 over eth0.",
		steps: "make route.route",
	},
	{name: "default route by another gateway", sh: "ip -n web route replace default via 10.77.0.9",
		finds: "address and route: differs Packets for everywhere else leave web by gateway 10.77.0.1 over eth0. gateway for 0.0.0.0/0 is 10.77.0.9, not 10.77.0.1",
		steps: "mend route.route",
	},
	{name: "addrgenmode", sh: "ip link set web-eth0 addrgenmode eui64",
		finds: "address and route: differs web-eth0 gives itself no IPv6 address. addrgenmode of web-eth0 is not none",
		steps: "mend route.noaddrgen",
	},
	{name: "no forwarding", sh: "sysctl -qw net.ipv4.ip_forward=0",
		finds: "setting: differs Setting net.ipv4.ip_forward is 1. net.ipv4.ip_forward is 0, not 1",
		steps: "mend sysctl.setting",
	},
	{name: "IPv6 on the bridge", sh: "sysctl -qw net.ipv6.conf.cnet-lab.disable_ipv6=0",
		finds: "setting: differs Setting net.ipv6.conf.cnet-lab.disable_ipv6 is 1. net.ipv6.conf.cnet-lab.disable_ipv6 is 0, not 1",
		steps: "mend sysctl.setting",
	},
	{name: "several at once", sh: `
		ip link set cnet-lab mtu 1300
		ip -n web route del default
		iptables -t nat -F CNET-PUBLISH
		sysctl -qw net.ipv4.ip_forward=0
		ip link set db-eth0 nomaster`,
		finds: "switch: differs There is a bridge cnet-lab. MTU is 1300, not 1500; packets of another size may be lost",
		steps: "mend bridge.bridge, mend sysctl.setting, make bridge.port, make route.route, make nat.publish, make nat.publish",
	},
	{name: "ledger lost", sh: "rm -r /run/cnet; ip link set cnet-lab down", loses: true,
		finds: "address and route: differs cnet-lab is up. cnet-lab is down",
		steps: "mend route.up",
	},
}

// Single rules.
var meddledRules = []meddling{
	{name: "a guard deleted", sh: "iptables -D CNET-GUARD 1",
		finds: "firewall: differs Network lab (cnet-lab) sends anywhere over IPv4 and is entered only by replies and published ports. missing: iptables -A CNET-GUARD ! -i cnet-lab -o cnet-lab -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -m comment --comment 'cnet lab' -j DROP",
		steps: "mend nat.forward",
	},
	{name: "an allowance deleted", sh: "iptables -D CNET-ALLOW 1",
		finds: "firewall: differs Network lab (cnet-lab) sends anywhere over IPv4 and is entered only by replies and published ports. missing: iptables -A CNET-ALLOW -o cnet-lab -m comment --comment 'cnet lab' -j ACCEPT",
		steps: "mend nat.forward",
	},
	{name: "a masquerade deleted", sh: "iptables -t nat -D CNET-POSTROUTING 1",
		finds: "firewall: absent Connections from 10.77.0.0/24 (network lab) carry the host's address when they leave by any link but cnet+.",
		steps: "make nat.masquerade",
	},
	{name: "a published port deleted", sh: "iptables -t nat -D CNET-PUBLISH 1",
		finds: "firewall: absent Connections to the host's tcp port 8080 go to 10.77.0.2:80 (container web).",
		steps: "make nat.publish",
	},
	{name: "a shield deleted", sh: "iptables -t raw -D CNET-RAW 1",
		finds: "firewall: differs The host reaches published ports of network lab by 127.0.0.1 and appears there with the address of cnet-lab; containers reach neither the host's 127.0.0.1 nor anything from such an address. missing: iptables -t raw -A CNET-RAW -d 127.0.0.0/8 -i cnet-lab -m comment --comment 'cnet lab' -j DROP",
		steps: "mend nat.loopback",
	},
	{name: "the way to the guards deleted", sh: "iptables -D CNET-FORWARD -j CNET-GUARD",
		finds: "firewall: differs Forwarded IPv4 packets pass cnet's chain CNET-FORWARD first. missing: iptables -A CNET-FORWARD -j CNET-GUARD",
		steps: "mend nat.hook",
	},
	{name: "allowances before guards", sh: "iptables -D CNET-FORWARD 1; iptables -A CNET-FORWARD -j CNET-GUARD",
		finds: "firewall: differs Forwarded IPv4 packets pass cnet's chain CNET-FORWARD first. CNET-FORWARD has its rules in another order",
		steps: "mend nat.hook",
	},
	{name: "a jump deleted", sh: "iptables -t nat -D PREROUTING 1",
		finds: "firewall: differs New IPv4 connections to an address of the host pass cnet's chain CNET-PUBLISH first. missing: iptables -t nat -I PREROUTING 1 ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -m comment --comment cnet -j CNET-PUBLISH",
		steps: "mend nat.hook",
	},
	{name: "a rule with another target", sh: "iptables -R CNET-ALLOW 1 -o cnet-lab -j DROP",
		finds: "firewall: differs Network lab (cnet-lab) sends anywhere over IPv4 and is entered only by replies and published ports. missing: iptables -A CNET-ALLOW -i cnet-lab -m comment --comment 'cnet lab' -j ACCEPT",
		steps: "break nat.rule, mend nat.forward",
	},
	{name: "a port that leads elsewhere", sh: `
		iptables -t nat -D CNET-PUBLISH -p tcp --dport 8080 -m comment --comment 'cnet web' -j DNAT --to-destination 10.77.0.2:80
		iptables -t nat -A CNET-PUBLISH -p tcp --dport 8080 -m comment --comment 'cnet web' -j DNAT --to-destination 10.77.0.3:80`,
		finds: "firewall: absent Connections to the host's tcp port 8080 go to 10.77.0.2:80 (container web).",
		steps: "break nat.rule, make nat.publish",
	},
	{name: "a rule twice", sh: "iptables -t nat -A CNET-PUBLISH -p tcp --dport 8080 -m comment --comment 'cnet web' -j DNAT --to-destination 10.77.0.2:80",
		finds: "firewall: differs Connections to the host's tcp port 8080 go to 10.77.0.2:80 (container web). more than once: iptables -t nat -A CNET-PUBLISH -p tcp --dport 8080 -m comment --comment 'cnet web' -j DNAT --to-destination 10.77.0.2:80",
		steps: "mend nat.publish",
	},
	{name: "a jump twice", sh: "iptables -A FORWARD -m comment --comment cnet -j CNET-FORWARD",
		finds: "firewall: differs Forwarded IPv4 packets pass cnet's chain CNET-FORWARD first. more than once: iptables -I FORWARD 1 -m comment --comment cnet -j CNET-FORWARD",
		steps: "mend nat.hook",
	},
	{name: "a foreign port in cnet's chain", sh: "iptables -t nat -I CNET-PUBLISH -p tcp --dport 2222 -j DNAT --to-destination 192.0.2.1:22",
		finds: "firewall: stray Chain CNET-PUBLISH of table nat has the rule -p tcp -m tcp --dport 2222 -j DNAT --to-destination 192.0.2.1:22.",
		steps: "break nat.rule",
	},
	{name: "a foreign chain of cnet's name", sh: "iptables -N CNET-OLD; iptables -A CNET-OLD -j DROP; iptables -A INPUT -s 192.0.2.1 -j CNET-OLD",
		finds: "firewall: stray Table filter has a chain CNET-OLD.",
		steps: "break nat.rule, break nat.rule",
	},
	{name: "all accepted before the guards", sh: "iptables -I CNET-FORWARD -j ACCEPT",
		finds: "firewall: stray Chain CNET-FORWARD of table filter has the rule -j ACCEPT.",
		steps: "break nat.rule",
	},
	{name: "a foreign DROP first", sh: "iptables -I FORWARD -j DROP", after: "iptables -D FORWARD -j DROP",
		finds: "firewall: differs Forwarded IPv4 packets pass cnet's chain CNET-FORWARD first. iptables -A FORWARD -j DROP stands before it",
		steps: "mend nat.hook",
	},
	{name: "a foreign ACCEPT first, in a chain", sh: "iptables -N THEIRS; iptables -A THEIRS -i uplink0 -j ACCEPT; iptables -I FORWARD -j THEIRS",
		after: "iptables -D FORWARD -j THEIRS; iptables -F THEIRS; iptables -X THEIRS",
		finds: "firewall: differs Forwarded IPv4 packets pass cnet's chain CNET-FORWARD first. iptables -A FORWARD -j THEIRS stands before it",
		steps: "mend nat.hook",
	},
	{name: "a foreign redirect first", sh: "iptables -t nat -I PREROUTING -p tcp --dport 8080 -j REDIRECT --to-ports 22",
		after: "iptables -t nat -D PREROUTING -p tcp --dport 8080 -j REDIRECT --to-ports 22",
		finds: "firewall: differs New IPv4 connections to an address of the host pass cnet's chain CNET-PUBLISH first. iptables -t nat -A PREROUTING -p tcp -m tcp --dport 8080 -j REDIRECT --to-ports 22 stands before it",
		steps: "mend nat.hook",
	},
}

// Whole chains and tables.
var meddledFirewall = []meddling{
	{name: "guards flushed", sh: "iptables -F CNET-GUARD",
		finds: "firewall: differs Network calm (cnet-calm) sends anywhere over IPv4 and is entered only by replies and published ports. missing: iptables -A CNET-GUARD ! -i cnet-calm -o cnet-calm -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -m comment --comment 'cnet calm' -j DROP",
		steps: "mend nat.forward, mend nat.forward",
	},
	{name: "published ports flushed", sh: "iptables -t nat -F CNET-PUBLISH",
		finds: "firewall: absent Connections to the host's tcp port 8081 go to 10.99.0.2:80 (container api).",
		steps: "make nat.publish, make nat.publish",
	},
	{name: "a chain deleted", sh: "iptables -F CNET-FORWARD; iptables -F CNET-ALLOW; iptables -X CNET-ALLOW",
		finds: "firewall: differs Forwarded IPv4 packets pass cnet's chain CNET-FORWARD first. missing: iptables -N CNET-ALLOW",
		steps: "mend nat.hook, mend nat.forward, mend nat.forward",
	},
	{name: "FORWARD flushed", sh: "iptables -F FORWARD",
		finds: "firewall: differs Forwarded IPv4 packets pass cnet's chain CNET-FORWARD first. missing: iptables -I FORWARD 1 -m comment --comment cnet -j CNET-FORWARD",
		steps: "mend nat.hook",
	},
	{name: "nat flushed", sh: "iptables -t nat -F",
		finds: "firewall: differs New IPv4 connections that leave pass cnet's chain CNET-POSTROUTING first. missing: iptables -t nat -I POSTROUTING 1 -m comment --comment cnet -j CNET-POSTROUTING",
		steps: "mend nat.hook, make nat.masquerade, make nat.masquerade, mend nat.hook, make nat.hairpin, mend nat.loopback, make nat.hairpin, mend nat.loopback, make nat.publish, make nat.publish",
	},
	{name: "all flushed", sh: "iptables -F; iptables -X; iptables -t nat -F; iptables -t nat -X; iptables -t raw -F; iptables -t raw -X", cuts: "published calm-published",
		finds: "firewall: absent Forwarded IPv4 packets pass cnet's chain CNET-FORWARD first.",
		steps: "make nat.hook, make nat.forward, make nat.hook, make nat.masquerade, make nat.forward, make nat.masquerade, make nat.hook, make nat.hairpin, make nat.hook, make nat.loopback, make nat.hairpin, make nat.loopback, make nat.publish, make nat.publish",
	},
	{name: "another set restored", sh: `iptables-restore <<-RULES
		*filter
		:INPUT ACCEPT
		:FORWARD DROP
		:OUTPUT ACCEPT
		-A FORWARD -i docker0 -o docker0 -j ACCEPT
		COMMIT
		RULES`, after: "iptables -D FORWARD -i docker0 -o docker0 -j ACCEPT; iptables -P FORWARD ACCEPT",
		finds: "firewall: absent Forwarded IPv4 packets pass cnet's chain CNET-FORWARD first.",
		steps: "make nat.hook, make nat.forward, make nat.forward",
	},
	{name: "all tables gone", sh: "nft flush ruleset", after: "iptables -S > /dev/null; ip6tables -S > /dev/null", cuts: "published calm-published",
		finds: "firewall: absent Forwarded IPv4 packets pass cnet's chain CNET-FORWARD first.",
		steps: "make nat.hook, make nat.forward, make nat.hook, make nat.masquerade, make nat.forward, make nat.masquerade, make nat.hook, make nat.hairpin, make nat.hook, make nat.loopback, make nat.hairpin, make nat.loopback, make nat.publish, make nat.publish",
	},
}

// IPv6, ptp cables, and networks that are closed within.
var meddledOthers = []meddling{
	{name: "IPv6 address deleted", sh: "ip -n s -6 addr flush dev eth0 scope global",
		finds: "address and route: absent s's eth0 has address fd77:77:77::2/64.",
		steps: "make route.address",
	},
	{name: "IPv6 default route by another gateway", sh: "ip -n s -6 route replace default via fe80::9 dev eth0",
		finds: "address and route: differs IPv6 packets for everywhere else leave s by gateway fd77:77:77::1 over eth0. gateway for ::/0 is fe80::9, not fd77:77:77::1",
		steps: "mend route.route",
	},
	{name: "IPv6 link down", sh: "ip -n s link set eth0 down",
		finds: "address and route: differs s's eth0 is up. s's eth0 is down",
		steps: "make route.address, mend route.up, make route.route, make route.route",
	},
	{name: "IPv6 bridge down", sh: "ip link set cnet-six down",
		finds: "address and route: differs cnet-six is up. cnet-six is down",
		steps: "make route.address, mend route.up",
	},
	{name: "no IPv6 forwarding", sh: "sysctl -qw net.ipv6.conf.all.forwarding=0",
		finds: "setting: differs Setting net.ipv6.conf.all.forwarding is 1. net.ipv6.conf.all.forwarding is 0, not 1",
		steps: "mend sysctl.setting",
	},
	{name: "IPv6 rules flushed", sh: "ip6tables -F",
		finds: "firewall: differs Forwarded IPv6 packets pass cnet's chain CNET-FORWARD first. missing: ip6tables -A CNET-FORWARD -j CNET-GUARD",
		steps: "mend nat.hook, make nat.forward, make nat.forward, make nat.forward",
	},
	{name: "IPv6 nat flushed", sh: "ip6tables -t nat -F",
		finds: "firewall: differs New IPv6 connections that leave pass cnet's chain CNET-POSTROUTING first. missing: ip6tables -t nat -I POSTROUTING 1 -m comment --comment cnet -j CNET-POSTROUTING",
		steps: "mend nat.hook, make nat.masquerade, make nat.masquerade, mend nat.hook, make nat.hairpin, make nat.hairpin, make nat.publish, make nat.publish",
	},
	{name: "a foreign IPv6 DROP first", sh: "ip6tables -I FORWARD -i uplink0 -j DROP", after: "ip6tables -D FORWARD -i uplink0 -j DROP",
		finds: "firewall: differs Forwarded IPv6 packets pass cnet's chain CNET-FORWARD first. ip6tables -A FORWARD -i uplink0 -j DROP stands before it",
		steps: "mend nat.hook",
	},
	{name: "ptp host route deleted", sh: "ip route del 10.77.1.2",
		finds: "address and route: absent Packets for 10.77.1.2/32 leave over cnetpaofdcsg6tr.",
		steps: "make route.route",
	},
	{name: "ptp host address deleted", sh: "ip addr del 10.77.1.1/32 dev cnetpaofdcsg6tr",
		finds: "address and route: absent cnetpaofdcsg6tr has address 10.77.1.1/32.",
		steps: "make route.address, make route.route",
	},
	{name: "ptp host end down", sh: "ip link set cnetpaofdcsg6tr down",
		finds: "address and route: differs cnetpaofdcsg6tr is up. cnetpaofdcsg6tr is down",
		steps: "make route.address, mend route.up, make route.route, make route.route",
	},
	{name: "ptp container's end down", sh: "ip -n p link set eth0 down",
		finds: "address and route: differs p's eth0 is up. p's eth0 is down",
		steps: "make route.address, mend route.up, make route.route, make route.route, make route.route, make route.route, make route.route, make route.route",
	},
	{name: "ptp route deleted", sh: "ip -n p route del 10.77.1.0/24",
		finds: "address and route: absent Packets for 10.77.1.0/24 leave p by gateway 10.77.1.1 over eth0.",
		steps: "make route.route",
	},
	{name: "ptp cable deleted", sh: "ip link del cnetpaofdcsg6tr",
		finds: "cable: absent A cable leads from cnetpaofdcsg6tr to p's eth0.",
		steps: "make veth.pair, make route.address, make route.address, make route.up, make route.route, make route.route, make sysctl.setting, make route.address, make route.address, make route.up, make route.route, make route.route, make route.route, make route.route, make route.route, make route.route",
	},
	{name: "isolated off", sh: "bridge link set dev p1-eth0 isolated off",
		finds: "switch: differs Port p1-eth0 hears no other isolated port. isolated of p1-eth0 is off",
		steps: "mend bridge.isolated",
	},
	{name: "no br_netfilter", sh: "ip link set cnet-apart type bridge nf_call_iptables 0",
		finds: "switch: differs Frames within bridge cnet-apart pass the host's firewall. nf_call_iptables is 0, not 1",
		steps: "mend bridge.filtered",
	},
	{name: "network opened", sh: "iptables -D CNET-GUARD -o cnet-apart -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -m comment --comment 'cnet apart' -j DROP",
		finds: "firewall: differs Network apart (cnet-apart) sends anywhere over IPv4 and is entered only by replies and published ports, nor do its containers reach each other. missing: iptables -A CNET-GUARD -o cnet-apart -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -m comment --comment 'cnet apart' -j DROP",
		steps: "mend nat.forward",
	},
}

// A pod whose first member, web, is gone: log holds its stack.
var meddledPod = []meddling{
	{name: "a member's name let go", sh: "umount /run/netns/side; rm /run/netns/side",
		finds: "namespace: absent The network namespace of /run/netns/web has the name side.",
		steps: "make netns.bind",
	},
	{name: "a member elsewhere", sh: "umount /run/netns/side; mount --bind /run/netns/far /run/netns/side",
		finds: "namespace: differs The network namespace of /run/netns/web has the name side. /run/netns/side is another namespace than /run/netns/web",
		steps: "break netns.bind, make netns.bind",
	},
	{name: "the stack's name let go", sh: "ip netns del web", cuts: "published",
		finds: "namespace: absent There is a network namespace web.",
		steps: "break veth.pair, break netns.bind, break netns.bind, make netns.named, make route.up, make netns.bind, make netns.bind, " + anew,
	},
	{name: "a namespace of the stack's name", sh: "ip netns del web; ip netns add web", cuts: "published",
		finds: "address and route: differs web's lo is up. web's lo is down",
		steps: "break veth.pair, break netns.bind, break netns.bind, mend route.up, make netns.bind, make netns.bind, " + anew,
	},
	{name: "the pod's cable deleted", sh: "ip link del web-eth0",
		finds: "cable: absent A cable leads from web-eth0 to web's eth0.",
		steps: anew,
	},
}
