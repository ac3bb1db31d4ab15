# Rules by nft in the very tables that iptables keeps its own in: a router at
# home, as tutorials write it. Only its own chains are loaded anew.
nft -f - <<'END'
table ip nat
table ip filter
add chain ip nat postrouting { type nat hook postrouting priority 100; }
add chain ip filter forward { type filter hook forward priority 0; }
flush chain ip nat postrouting
flush chain ip filter forward
table ip nat {
	chain postrouting {
		oifname "uplink0" ip saddr 192.168.1.0/24 masquerade
	}
}
table ip filter {
	chain forward {
		ct state vmap { established : accept, related : accept, invalid : drop }
		iifname { "lan1", "lan2" } accept
	}
}
END
sysctl -qw net.ipv4.ip_forward=1
