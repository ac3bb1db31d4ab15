package nat

import (
	"strings"
	"testing"
)

// The rules of one network, as iptables-save prints them. The rules of others
// stand where BEFORE is, or in chains that MORE makes.
const stack = `*raw
:PREROUTING ACCEPT [0:0]
:CNET-RAW - [0:0]
BEFORE raw PREROUTING
-A PREROUTING -m comment --comment cnet -j CNET-RAW
-A CNET-RAW -d 127.0.0.0/8 -i cnet-lab -m comment --comment "cnet lab" -j DROP
COMMIT
*filter
:FORWARD ACCEPT [0:0]
:DOCKER-FORWARD - [0:0]
:DOCKER-USER - [0:0]
:CNET-FORWARD - [0:0]
:CNET-GUARD - [0:0]
:CNET-ALLOW - [0:0]
BEFORE filter FORWARD
-A FORWARD -m comment --comment cnet -j CNET-FORWARD
MORE
-A CNET-FORWARD -j CNET-GUARD
-A CNET-FORWARD -j CNET-ALLOW
-A CNET-GUARD ! -i cnet-lab -o cnet-lab -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -m comment --comment "cnet lab" -j DROP
-A CNET-ALLOW -o cnet-lab -m comment --comment "cnet lab" -j ACCEPT
-A CNET-ALLOW -i cnet-lab -m comment --comment "cnet lab" -j ACCEPT
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:CNET-PUBLISH - [0:0]
:CNET-POSTROUTING - [0:0]
BEFORE nat PREROUTING
-A PREROUTING ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -m comment --comment cnet -j CNET-PUBLISH
BEFORE nat POSTROUTING
-A POSTROUTING -m comment --comment cnet -j CNET-POSTROUTING
-A CNET-POSTROUTING -s 10.77.0.0/24 ! -o cnet-lab -m comment --comment "cnet lab" -j MASQUERADE
-A CNET-PUBLISH -p tcp -m tcp --dport 8080 -m comment --comment "cnet web" -j DNAT --to-destination 10.77.0.2:80
COMMIT
`

func TestWinner(t *testing.T) {
	on := On{Backend: Iptables}
	jumps := map[string]Rule{
		"raw PREROUTING":  Hook{On: on, Role: RoleLoopback}.iptables()[1],
		"filter FORWARD":  Hook{On: on, Role: RoleForward}.iptables()[5],
		"nat PREROUTING":  Hook{On: on, Role: RolePublish}.iptables()[1],
		"nat POSTROUTING": Hook{On: on, Role: RolePostrouting}.iptables()[1],
	}
	for _, c := range []struct {
		name  string
		chain string
		rule  string // that stands before the jump
		more  string // the rest of the filter table
		wins  bool
	}{
		{"drop all", "filter FORWARD", "-j DROP", "", true},
		{"reject from the uplink", "filter FORWARD", "-i eth0 -j REJECT --reject-with icmp-port-unreachable", "", true},
		{"accept from the uplink", "filter FORWARD", "-i eth0 -j ACCEPT", "", true},
		{"accept from the network, as cnet does", "filter FORWARD", "-i cnet-lab -j ACCEPT", "", false},
		{"return is the policy", "filter FORWARD", "-j RETURN", "", true},
		{"between others", "filter FORWARD", "-i docker0 -o docker0 -j DROP", "", false},
		{"others to the network", "filter FORWARD", "-i docker0 ! -o docker0 -j ACCEPT", "", true},
		{"the network to others, as cnet does", "filter FORWARD", "-o docker0 -j ACCEPT", "", false},
		{"the network to others, not", "filter FORWARD", "-o docker0 -j DROP", "", true},
		{"links by a common beginning", "filter FORWARD", "-i cnet+ -j DROP", "", true},
		{"links of another beginning", "filter FORWARD", "-i br-+ -o br-+ -j DROP", "", false},
		{"all but the network's", "filter FORWARD", "! -i cnet-lab ! -o cnet-lab -j DROP", "", false},
		{"replies, as cnet does", "filter FORWARD", "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", "", false},
		{"replies, not", "filter FORWARD", "-m state --state ESTABLISHED -j DROP", "", true},
		{"of no connection", "filter FORWARD", "-m conntrack --ctstate INVALID -j DROP", "", false},
		{"looks only", "filter FORWARD", "-j LOG --log-prefix all", "", false},
		{"counts only", "filter FORWARD", "-s 192.0.2.0/24", "", false},
		{"a chain that drops", "filter FORWARD", "-j DOCKER-USER", "-A DOCKER-USER -i eth0 -j DROP", true},
		{"a chain for others only", "filter FORWARD", "-i docker0 -o docker0 -j DOCKER-USER", "-A DOCKER-USER -j DROP", false},
		{"a chain that returns first", "filter FORWARD", "-j DOCKER-USER", "-A DOCKER-USER -j RETURN\n-A DOCKER-USER -j DROP", false},
		{"a chain that returns some", "filter FORWARD", "-j DOCKER-USER", "-A DOCKER-USER -p udp -j RETURN\n-A DOCKER-USER -j DROP", true},
		{"a chain of a chain", "filter FORWARD", "-j DOCKER-USER", "-A DOCKER-USER -g DOCKER-FORWARD\n-A DOCKER-FORWARD -j ACCEPT", true},
		{"a chain in a circle", "filter FORWARD", "-j DOCKER-USER", "-A DOCKER-USER -j DOCKER-USER", false},
		{"an empty chain", "filter FORWARD", "-j DOCKER-USER", "", false},
		{"the same port", "nat PREROUTING", "-p tcp -m tcp --dport 8080 -j REDIRECT --to-ports 80", "", true},
		{"a range with the port", "nat PREROUTING", "-p tcp -m tcp --dport 8000:9000 -j DNAT --to-destination 192.0.2.9", "", true},
		{"a list with the port", "nat PREROUTING", "-p tcp -m multiport --dports 22,8080 -j ACCEPT", "", true},
		{"another port", "nat PREROUTING", "-p tcp -m tcp --dport 2222 -j REDIRECT --to-ports 22", "", false},
		{"another protocol", "nat PREROUTING", "-p udp -m udp --dport 8080 -j REDIRECT --to-ports 53", "", false},
		{"what the jump leaves out", "nat PREROUTING", "-d 127.0.0.53/32 -p tcp -m tcp --dport 8080 -j REDIRECT", "", false},
		{"any port", "nat PREROUTING", "-d 203.0.113.2/32 -j DNAT --to-destination 192.0.2.9", "", true},
		{"masquerade, as cnet does", "nat POSTROUTING", "-o eth0 -j MASQUERADE", "", false},
		{"another address to leave with", "nat POSTROUTING", "-o eth0 -j SNAT --to-source 203.0.113.9", "", true},
		{"other sources", "nat POSTROUTING", "-s 172.17.0.0/16 ! -o docker0 -j ACCEPT", "", false},
		{"sources around", "nat POSTROUTING", "-s 10.0.0.0/8 -d 10.0.0.0/8 -j ACCEPT", "", true},
		{"early", "raw PREROUTING", "-i cnet-lab -j ACCEPT", "", true},
		{"early, elsewhere", "raw PREROUTING", "-d 10.0.0.0/8 -j ACCEPT", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(stack, "BEFORE "+c.chain, "-A "+strings.Fields(c.chain)[1]+" "+c.rule, 1)
			text = strings.Replace(text, "MORE\n", c.more+"\n", 1)
			var rows []string
			for _, row := range strings.Split(text, "\n") {
				if !strings.HasPrefix(row, "BEFORE") {
					rows = append(rows, row)
				}
			}
			snap := parse(strings.Join(rows, "\n"), on)
			for chain, jump := range jumps {
				if got, ok := snap.winner(jump); ok != (c.wins && chain == c.chain) {
					t.Errorf("%s: a rule wins: %t (%s)", chain, ok, strings.Join(got.Args, " "))
				}
			}
		})
	}
}
