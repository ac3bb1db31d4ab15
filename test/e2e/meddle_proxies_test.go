package e2e

// proxied is lab, where the container db has a proxy, which its calls go through, and the host one.
var proxied = lab + `
sidecar attach db --retries 2 --inbound
edge start --listen 127.0.0.1:8082
`

// What leads to a sidecar. Connections that go through it stay, but where the
// kernel no longer tracks those of the container.
var meddledProxies = []meddling{
	{name: "the exemption deleted", sh: "ip netns exec db iptables -t nat -D CNET-REDIRECT 1",
		finds: `firewall: differs IPv4 connections that db makes are led to the proxy at its port 15001, but for the proxy's own. missing: iptables -t nat -A CNET-REDIRECT -p tcp -m mark --mark 0x636e6574 -m comment --comment 'cnet db own' -j RETURN`,
		steps: "mend nat.redirect",
	},
	{name: "a rule that leads all to the proxy", sh: "ip netns exec db iptables -t nat -I CNET-REDIRECT 1 -p tcp -j REDIRECT --to-ports 15001",
		finds: `firewall: differs IPv4 connections that db makes are led to the proxy at its port 15001, but for the proxy's own. CNET-REDIRECT has rules of others, or its own in another order`,
		steps: "mend nat.redirect",
	},
	{name: "the jump deleted", sh: "ip netns exec db iptables -t nat -D OUTPUT 1",
		finds: `firewall: differs IPv4 connections that db makes are led to the proxy at its port 15001, but for the proxy's own. missing: iptables -t nat -I OUTPUT 1 -p tcp -m comment --comment cnet -j CNET-REDIRECT`,
		steps: "mend nat.redirect",
	},
	{name: "a foreign rule before the jump", sh: "ip netns exec db iptables -t nat -I OUTPUT 1 -p tcp --dport 80 -j ACCEPT",
		finds: `firewall: differs IPv4 connections that db makes are led to the proxy at its port 15001, but for the proxy's own. iptables -t nat -A OUTPUT -p tcp -m tcp --dport 80 -j ACCEPT stands before it`,
		steps: "mend nat.redirect",
		after: "ip netns exec db iptables -t nat -D OUTPUT -p tcp --dport 80 -j ACCEPT",
	},
	{name: "what comes in flushed", sh: "ip netns exec db iptables -t nat -F CNET-INBOUND",
		finds: `firewall: differs IPv4 connections that come to db are led to the proxy at its port 15006. missing: iptables -t nat -A CNET-INBOUND -p tcp -m mark --mark 0x636e6574 -m comment --comment 'cnet db own' -j RETURN`,
		steps: "mend nat.redirect",
	},
	{name: "all of nat flushed", sh: "ip netns exec db iptables -t nat -F",
		finds: `firewall: differs IPv4 connections that db makes are led to the proxy at its port 15001, but for the proxy's own. missing: iptables -t nat -A CNET-REDIRECT -p tcp -m mark --mark 0x636e6574 -m comment --comment 'cnet db own' -j RETURN`,
		steps: "mend nat.redirect, mend nat.redirect",
		cuts:  "sibling",
	},
	{name: "the proxy killed", sh: "kill -9 $(cat /run/cnet/proc/@sidecar-db/*.json | sed -n 's/.*\"pid\": \\([0-9]*\\),/\\1/p')",
		finds: `process: absent A process of cnet is the proxy of container db (sidecar-db).`,
		steps: "",
		cuts:  "sibling",
	},
	{name: "the edge killed", sh: "kill -9 $(cat /run/cnet/proc/@edge/*.json | sed -n 's/.*\"pid\": \\([0-9]*\\),/\\1/p')",
		finds: `process: absent A process of cnet leads the requests of HTTP that come to the host (edge).`,
		steps: "",
	},
}

var meddledNftProxies = []meddling{
	{name: "the exemption deleted", sh: "ip netns exec db sh -ec 'nft delete rule inet cnet redirect-out4 handle $(nft -a list chain inet cnet redirect-out4 | sed -n \"/own/s/.*handle //p\")'",
		finds: `firewall: differs IPv4 connections that db makes are led to the proxy at its port 15001, but for the proxy's own. missing: nft add rule inet cnet redirect-out4 'meta nfproto ipv4 meta l4proto tcp meta mark 0x636e6574 counter return comment "cnet db own"'`,
		steps: "mend nat.redirect",
	},
	{name: "a rule that leads all to the proxy", sh: "ip netns exec db nft insert rule inet cnet redirect-out4 meta l4proto tcp redirect to :15001",
		finds: `firewall: differs IPv4 connections that db makes are led to the proxy at its port 15001, but for the proxy's own. chain redirect-out4 has rules of others, or its own in another order`,
		steps: "mend nat.redirect",
	},
	{name: "the table of the container deleted", sh: "ip netns exec db nft delete table inet cnet",
		finds: `firewall: absent db has a table inet cnet of nf_tables.`,
		steps: "make nat.hook, make nat.redirect, make nat.redirect",
		cuts:  "sibling",
	},
}
