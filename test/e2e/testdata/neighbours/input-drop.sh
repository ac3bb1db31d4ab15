# A host that is called by nobody: the common first firewall of a server.
for family in ip ip6; do
	${family}tables-restore --noflush <<-END
		*filter
		-F INPUT
		-P INPUT DROP
		-P FORWARD DROP
		-A INPUT -i lo -j ACCEPT
		-A INPUT -m conntrack --ctstate INVALID -j DROP
		-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
		-A INPUT -p $([ $family = ip ] && echo icmp || echo ipv6-icmp) -j ACCEPT
		-A INPUT -p tcp --dport 22 -j ACCEPT
		COMMIT
	END
done
