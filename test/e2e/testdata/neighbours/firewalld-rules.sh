# What firewalld makes of its zone public, with its nftables backend: one table
# of its own, behind the others, that refuses what no zone forwards. When it starts
# it flushes the tables of iptables.
for command in iptables ip6tables; do
	for table in raw mangle nat filter; do
		$command -t $table -F
		$command -t $table -X
	done
done
nft -f - <<'END'
table inet firewalld
delete table inet firewalld
table inet firewalld {
	chain filter_IN_public {
		tcp dport 22 accept
		meta l4proto { icmp, ipv6-icmp } accept
		reject with icmpx admin-prohibited
	}
	chain filter_FWD_public {
		reject with icmpx admin-prohibited
	}
	chain filter_PREROUTING {
		type filter hook prerouting priority filter + 10; policy accept;
		icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept
		meta nfproto ipv6 fib saddr . mark . iif oif missing drop
	}
	chain filter_INPUT {
		type filter hook input priority filter + 10; policy accept;
		ct state { established, related } accept
		ct status dnat accept
		iifname "lo" accept
		ct state invalid drop
		goto filter_IN_public
	}
	chain filter_FORWARD {
		type filter hook forward priority filter + 10; policy accept;
		ct state { established, related } accept
		ct status dnat accept
		iifname "lo" accept
		ct state invalid drop
		goto filter_FWD_public
	}
	chain nat_POSTROUTING {
		type nat hook postrouting priority srcnat + 10; policy accept;
	}
}
END
