# docker 28, with IPv6 on: containers cannot be reached past their published
# ports, and one of these is for 127.0.0.1 alone. Release 29 has a chain
# DOCKER-INTERNAL in the place of the two of isolation.
ip link show docker0 > /dev/null 2>&1 || ip link add docker0 type bridge
ip address replace 172.17.0.1/16 dev docker0
ip link set docker0 up
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.default.forwarding=1 net.ipv6.conf.all.forwarding=1

# first makes a rule the first of its chain; insert and append add it where it
# is missing and leave it where it is.
first() {
	command=$1; shift; table=$1; shift
	while $command -t $table -D "$@" 2> /dev/null; do :; done
	$command -t $table -I "$@"
}
insert() {
	command=$1; shift; table=$1; shift
	$command -t $table -C "$@" 2> /dev/null || $command -t $table -I "$@"
}
append() {
	command=$1; shift; table=$1; shift
	$command -t $table -C "$@" 2> /dev/null || $command -t $table -A "$@"
}
for command in iptables ip6tables; do
	$command-restore --noflush <<-END
		*filter
		-P FORWARD DROP
		:DOCKER - [0:0]
		:DOCKER-BRIDGE - [0:0]
		:DOCKER-CT - [0:0]
		:DOCKER-FORWARD - [0:0]
		:DOCKER-ISOLATION-STAGE-1 - [0:0]
		:DOCKER-ISOLATION-STAGE-2 - [0:0]
		-A DOCKER ! -i docker0 -o docker0 -j DROP
		-A DOCKER-BRIDGE -o docker0 -j DOCKER
		-A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
		-A DOCKER-FORWARD -j DOCKER-CT
		-A DOCKER-FORWARD -j DOCKER-ISOLATION-STAGE-1
		-A DOCKER-FORWARD -j DOCKER-BRIDGE
		-A DOCKER-FORWARD -i docker0 -j ACCEPT
		-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
		-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
		COMMIT
		*nat
		:DOCKER - [0:0]
		-A DOCKER -i docker0 -j RETURN
		COMMIT
	END
	$command -N DOCKER-USER 2> /dev/null || :
	first $command filter FORWARD -j DOCKER-FORWARD
	first $command filter FORWARD -j DOCKER-USER
done
# It takes its two jumps of nat away when it starts, and puts them last.
for jump in "PREROUTING" "OUTPUT ! -d 127.0.0.0/8"; do
	iptables -t nat -D $jump -m addrtype --dst-type LOCAL -j DOCKER 2> /dev/null || :
	iptables -t nat -A $jump -m addrtype --dst-type LOCAL -j DOCKER
done
for jump in "PREROUTING" "OUTPUT ! -d ::1/128"; do
	ip6tables -t nat -D $jump -m addrtype --dst-type LOCAL -j DOCKER 2> /dev/null || :
	ip6tables -t nat -A $jump -m addrtype --dst-type LOCAL -j DOCKER
done
insert iptables nat POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
insert ip6tables nat POSTROUTING -s fd00:17::/64 ! -o docker0 -j MASQUERADE
iptables -I DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp --dport 80 -j ACCEPT
iptables -t nat -A DOCKER ! -i docker0 -p tcp --dport 8888 -j DNAT --to-destination 172.17.0.2:80
iptables -t nat -A DOCKER -d 127.0.0.1/32 ! -i docker0 -p tcp --dport 8889 -j DNAT --to-destination 172.17.0.2:80
append iptables raw PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP
append iptables raw PREROUTING -d 127.0.0.1/32 ! -i lo -p tcp --dport 8889 -j DROP
