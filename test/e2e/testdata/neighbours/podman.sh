# podman's netavark with its nftables driver: one table of its own, with a
# container whose port 80 is published at 8888.
ip link show podman0 > /dev/null 2>&1 || ip link add podman0 type bridge
ip address replace 10.88.0.1/16 dev podman0
ip link set podman0 up
sysctl -qw net.ipv4.ip_forward=1
nft -f - <<'END'
table inet netavark
delete table inet netavark
table inet netavark {
	chain NETAVARK-HOSTPORT-SETMARK {
		meta mark set meta mark | 0x00002000
	}
	chain NETAVARK-ISOLATION-1 {
	}
	chain NETAVARK-ISOLATION-2 {
	}
	chain NETAVARK-ISOLATION-3 {
		oifname "podman0" drop
		jump NETAVARK-ISOLATION-2
	}
	chain nv_2f259bab_10_88_0_0_nm16 {
		ip daddr 10.88.0.0/16 accept
		ip daddr != 224.0.0.0/4 masquerade
	}
	chain nv_2f259bab_10_88_0_0_nm16_dnat {
		ip saddr 10.88.0.0/16 tcp dport 8888 jump NETAVARK-HOSTPORT-SETMARK
		ip saddr 127.0.0.1 tcp dport 8888 jump NETAVARK-HOSTPORT-SETMARK
		tcp dport 8888 ct mark set meta mark | 0x00001000 dnat ip to 10.88.0.2:80
	}
	chain NETAVARK-HOSTPORT-DNAT {
		tcp dport 8888 jump nv_2f259bab_10_88_0_0_nm16_dnat
	}
	chain INPUT {
		type filter hook input priority filter; policy accept;
		ip saddr 10.88.0.0/16 meta l4proto { tcp, udp } th dport 53 accept
	}
	chain FORWARD {
		type filter hook forward priority filter; policy accept;
		ct state invalid drop
		ct mark & 0x00001000 == 0x00001000 accept
		jump NETAVARK-ISOLATION-1
		ip daddr 10.88.0.0/16 ct state established,related accept
		ip saddr 10.88.0.0/16 accept
	}
	chain POSTROUTING {
		type nat hook postrouting priority srcnat; policy accept;
		meta mark & 0x00002000 == 0x00002000 masquerade
		ip saddr 10.88.0.0/16 jump nv_2f259bab_10_88_0_0_nm16
	}
	chain PREROUTING {
		type nat hook prerouting priority dstnat; policy accept;
		fib daddr type local jump NETAVARK-HOSTPORT-DNAT
	}
	chain OUTPUT {
		type nat hook output priority -100; policy accept;
		fib daddr type local jump NETAVARK-HOSTPORT-DNAT
	}
}
END
