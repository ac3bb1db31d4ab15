# docker before release 28, with a container whose port 80 is published at 8888.
ip link show docker0 > /dev/null 2>&1 || ip link add docker0 type bridge
ip address replace 172.17.0.1/16 dev docker0
ip link set docker0 up
sysctl -qw net.ipv4.ip_forward=1

# first makes a jump the first rule of a chain, as docker does when it starts.
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
		:DOCKER-ISOLATION-STAGE-1 - [0:0]
		:DOCKER-ISOLATION-STAGE-2 - [0:0]
		:DOCKER-USER - [0:0]
		-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
		-A DOCKER-ISOLATION-STAGE-1 -j RETURN
		-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
		-A DOCKER-ISOLATION-STAGE-2 -j RETURN
		-A DOCKER-USER -j RETURN
		COMMIT
		*nat
		:DOCKER - [0:0]
		-A DOCKER -i docker0 -j RETURN
		COMMIT
	END
	first $command filter FORWARD -i docker0 -o docker0 -j ACCEPT
	first $command filter FORWARD -i docker0 ! -o docker0 -j ACCEPT
	first $command filter FORWARD -o docker0 -j DOCKER
	first $command filter FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
	first $command filter FORWARD -j DOCKER-ISOLATION-STAGE-1
	first $command filter FORWARD -j DOCKER-USER
done
iptables -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp --dport 80 -j ACCEPT
iptables -t nat -A DOCKER ! -i docker0 -p tcp --dport 8888 -j DNAT --to-destination 172.17.0.2:80
first iptables nat PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
first iptables nat OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
first iptables nat POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp --dport 80 -j MASQUERADE
first iptables nat POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
first ip6tables nat PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
first ip6tables nat OUTPUT ! -d ::1/128 -m addrtype --dst-type LOCAL -j DOCKER
