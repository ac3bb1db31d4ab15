# nftables.service with a server's /etc/nftables.conf, after the examples that
# Debian ships: what is not allowed is dropped, and nothing is forwarded.
nft -f - <<'END'
flush ruleset
table inet filter {
	chain input {
		type filter hook input priority 0; policy drop;
		ct state invalid drop
		ct state { established, related } accept
		iif lo accept
		meta l4proto { icmp, ipv6-icmp } accept
		tcp dport 22 accept
	}
	chain forward {
		type filter hook forward priority 0; policy drop;
	}
	chain output {
		type filter hook output priority 0;
	}
}
END
