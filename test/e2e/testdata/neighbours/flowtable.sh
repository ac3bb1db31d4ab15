# A router that lets established flows take the kernel's short cut.
nft -f - <<'END' 2> /dev/null || { echo this kernel has no flow tables; exit 77; }
table inet probe {
	flowtable f {
		hook ingress priority 0
		devices = { uplink0 }
	}
}
delete table inet probe
END
nft -f - <<'END'
table inet fast
delete table inet fast
table inet fast {
	flowtable f {
		hook ingress priority 0
		devices = { uplink0 }
	}
	chain forward {
		type filter hook forward priority 0; policy accept;
		meta l4proto { tcp, udp } flow add @f
	}
}
END
