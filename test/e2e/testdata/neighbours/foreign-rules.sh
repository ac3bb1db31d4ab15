# Rules of somebody's own in every table, in chains of theirs too. iptables.service
# would start so: all is flushed and loaded from a file.
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
for family in ip ip6; do
	any=$([ $family = ip ] && echo 192.0.2.0/24 || echo 2001:db8:9::/64)
	${family}tables-restore <<-END
		*raw
		:PREROUTING ACCEPT
		:OUTPUT ACCEPT
		:MINE - [0:0]
		-A PREROUTING -s $any -j MINE
		-A MINE -j DROP
		COMMIT
		*mangle
		:PREROUTING ACCEPT
		:INPUT ACCEPT
		:FORWARD ACCEPT
		:OUTPUT ACCEPT
		:POSTROUTING ACCEPT
		:MINE - [0:0]
		-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
		-A PREROUTING -j MINE
		-A MINE -p tcp -m tcp --dport 22 -j MARK --set-xmark 0x7/0xffffffff
		COMMIT
		*nat
		:PREROUTING ACCEPT
		:INPUT ACCEPT
		:OUTPUT ACCEPT
		:POSTROUTING ACCEPT
		:MINE - [0:0]
		-A PREROUTING -p tcp -m tcp --dport 2222 -j REDIRECT --to-ports 22
		-A POSTROUTING -s $any -j MINE
		-A MINE -j MASQUERADE
		COMMIT
		*filter
		:INPUT ACCEPT
		:FORWARD ACCEPT
		:OUTPUT ACCEPT
		:MINE - [0:0]
		-A INPUT -p tcp -m tcp --dport 23 -j REJECT
		-A FORWARD -s $any -j MINE
		-A FORWARD -m comment --comment "not CNET's" -j MINE
		-A MINE -s $any -j DROP
		-A MINE -j RETURN
		COMMIT
		*security
		:INPUT ACCEPT
		:FORWARD ACCEPT
		:OUTPUT ACCEPT
		-A FORWARD -s $any -j DROP
		COMMIT
	END
done
