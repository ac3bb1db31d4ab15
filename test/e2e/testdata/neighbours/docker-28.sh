# docker from release 28 on: containers cannot be reached past their published
# ports, and one of these is for 127.0.0.1 alone.
ip link show docker0 > /dev/null 2>&1 || ip link add docker0 type bridge
ip address replace 172.17.0.1/16 dev docker0
ip link set docker0 up
sysctl -qw net.ipv4.ip_forward=1

first() {
	command=$1; shift; table=$1; shift
	while $command -t $table -D "$@" 2> /dev/null; do :; done
	$command -t $table -I "$@"
}
for command in iptables ip6tables; do
	$command-restore --noflush <<-END
		*filter
		-P FORWARD DROP
		:DOCKER - [0:0]
		:DOCKER-BRIDGE - [0:0]
		:DOCKER-CT - [0:0]
		:DOCKER-FORWARD - [0:0]
		:DOCKER-INTERNAL - [0:0]
		:DOCKER-USER - [0:0]
		-A DOCKER ! -i docker0 -o docker0 -j DROP
		-A DOCKER-BRIDGE -o docker0 -j DOCKER
		-A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
		-A DOCKER-FORWARD -j DOCKER-CT
		-A DOCKER-FORWARD -j DOCKER-INTERNAL
		-A DOCKER-FORWARD -j DOCKER-BRIDGE
		-A DOCKER-FORWARD -i docker0 -j ACCEPT
		COMMIT
		*nat
		:DOCKER - [0:0]
		COMMIT
	END
	first $command filter FORWARD -j DOCKER-FORWARD
	first $command filter FORWARD -j DOCKER-USER
done
iptables -I DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp --dport 80 -j ACCEPT
iptables -t nat -A DOCKER ! -i docker0 -p tcp --dport 8888 -j DNAT --to-destination 172.17.0.2:80
iptables -t nat -A DOCKER -d 127.0.0.1/32 ! -i docker0 -p tcp --dport 8889 -j DNAT --to-destination 172.17.0.2:80
first iptables raw PREROUTING -d 127.0.0.1/32 ! -i lo -p tcp --dport 8889 -j DROP
first iptables raw PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP
first iptables nat PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
first iptables nat OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
first iptables nat POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
first ip6tables nat PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
first ip6tables nat OUTPUT ! -d ::1/128 -m addrtype --dst-type LOCAL -j DOCKER
