# What ufw makes of its defaults: deny incoming, allow outgoing, forward nothing.
# A reload flushes the chains, and leaves the jumps to them where they are.
for family in ip ip6; do
	u=$([ $family = ip ] && echo ufw || echo ufw6)
	icmp=$([ $family = ip ] && echo icmp || echo ipv6-icmp)
	${family}tables-restore --noflush <<-END
		*filter
		-P INPUT DROP
		-P FORWARD DROP
		:$u-before-input - [0:0]
		:$u-before-forward - [0:0]
		:$u-before-output - [0:0]
		:$u-after-input - [0:0]
		:$u-not-local - [0:0]
		:$u-track-output - [0:0]
		:$u-user-input - [0:0]
		:$u-user-forward - [0:0]
		:$u-reject-forward - [0:0]
		-A $u-before-input -i lo -j ACCEPT
		-A $u-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
		-A $u-before-input -m conntrack --ctstate INVALID -j DROP
		-A $u-before-input -p $icmp -j ACCEPT
		-A $u-before-input -j $u-not-local
		-A $u-before-input -j $u-user-input
		-A $u-not-local -m addrtype --dst-type LOCAL -j RETURN
		-A $u-not-local -m addrtype --dst-type MULTICAST -j RETURN
		-A $u-not-local -j DROP
		-A $u-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
		-A $u-before-forward -p $icmp -j ACCEPT
		-A $u-before-forward -j $u-user-forward
		-A $u-before-output -o lo -j ACCEPT
		-A $u-before-output -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
		-A $u-track-output -p tcp -m conntrack --ctstate NEW -j ACCEPT
		-A $u-track-output -p udp -m conntrack --ctstate NEW -j ACCEPT
		COMMIT
	END
	while read chain to; do
		${family}tables -C $chain -j $u-$to 2> /dev/null || ${family}tables -A $chain -j $u-$to
	done <<-END
		INPUT before-input
		INPUT after-input
		FORWARD before-forward
		FORWARD reject-forward
		OUTPUT before-output
		OUTPUT track-output
	END
done
