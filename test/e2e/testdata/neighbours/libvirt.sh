# libvirt's network "default" with the iptables backend: a bridge with NAT,
# closed by REJECT. The chains for IPv6 are there and empty.
ip link show virbr0 > /dev/null 2>&1 || ip link add virbr0 type bridge
ip address replace 192.168.122.1/24 dev virbr0
ip link set virbr0 up
sysctl -qw net.ipv4.ip_forward=1

# insert adds a jump at the head where it is missing; a second start leaves it
# where it is.
insert() {
	command=$1; shift; table=$1; shift
	$command -t $table -C "$@" 2> /dev/null || $command -t $table -I "$@"
}
chains() {
	cat <<-END
		*filter
		:LIBVIRT_INP - [0:0]
		:LIBVIRT_OUT - [0:0]
		:LIBVIRT_FWO - [0:0]
		:LIBVIRT_FWI - [0:0]
		:LIBVIRT_FWX - [0:0]
		COMMIT
		*nat
		:LIBVIRT_PRT - [0:0]
		COMMIT
		*mangle
		:LIBVIRT_PRT - [0:0]
		COMMIT
	END
}
for command in iptables ip6tables; do
	chains | $command-restore --noflush
	insert $command filter INPUT -j LIBVIRT_INP
	insert $command filter OUTPUT -j LIBVIRT_OUT
	insert $command filter FORWARD -j LIBVIRT_FWO
	insert $command filter FORWARD -j LIBVIRT_FWI
	insert $command filter FORWARD -j LIBVIRT_FWX
	insert $command nat POSTROUTING -j LIBVIRT_PRT
	insert $command mangle POSTROUTING -j LIBVIRT_PRT
done
iptables-restore --noflush <<-END
	*filter
	-A LIBVIRT_INP -i virbr0 -p udp --dport 53 -j ACCEPT
	-A LIBVIRT_INP -i virbr0 -p tcp --dport 53 -j ACCEPT
	-A LIBVIRT_INP -i virbr0 -p udp --dport 67 -j ACCEPT
	-A LIBVIRT_INP -i virbr0 -p tcp --dport 67 -j ACCEPT
	-A LIBVIRT_OUT -o virbr0 -p udp --dport 53 -j ACCEPT
	-A LIBVIRT_OUT -o virbr0 -p tcp --dport 53 -j ACCEPT
	-A LIBVIRT_OUT -o virbr0 -p udp --dport 68 -j ACCEPT
	-A LIBVIRT_OUT -o virbr0 -p tcp --dport 68 -j ACCEPT
	-A LIBVIRT_FWO -s 192.168.122.0/24 -i virbr0 -j ACCEPT
	-A LIBVIRT_FWO -i virbr0 -j REJECT
	-A LIBVIRT_FWI -d 192.168.122.0/24 -o virbr0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
	-A LIBVIRT_FWI -o virbr0 -j REJECT
	-A LIBVIRT_FWX -i virbr0 -o virbr0 -j ACCEPT
	COMMIT
	*nat
	-A LIBVIRT_PRT -s 192.168.122.0/24 -d 224.0.0.0/24 -j RETURN
	-A LIBVIRT_PRT -s 192.168.122.0/24 -d 255.255.255.255/32 -j RETURN
	-A LIBVIRT_PRT -s 192.168.122.0/24 ! -d 192.168.122.0/24 -p tcp -j MASQUERADE --to-ports 1024-65535
	-A LIBVIRT_PRT -s 192.168.122.0/24 ! -d 192.168.122.0/24 -p udp -j MASQUERADE --to-ports 1024-65535
	-A LIBVIRT_PRT -s 192.168.122.0/24 ! -d 192.168.122.0/24 -j MASQUERADE
	COMMIT
END
