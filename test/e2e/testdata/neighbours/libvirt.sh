# libvirt's network "default": a bridge with NAT, closed by REJECT.
ip link show virbr0 > /dev/null 2>&1 || ip link add virbr0 type bridge
ip address replace 192.168.122.1/24 dev virbr0
ip link set virbr0 up
sysctl -qw net.ipv4.ip_forward=1
first() {
	table=$1; shift
	while iptables -t $table -D "$@" 2> /dev/null; do :; done
	iptables -t $table -I "$@"
}
iptables-restore --noflush <<-END
	*filter
	:LIBVIRT_INP - [0:0]
	:LIBVIRT_OUT - [0:0]
	:LIBVIRT_FWO - [0:0]
	:LIBVIRT_FWI - [0:0]
	:LIBVIRT_FWX - [0:0]
	-A LIBVIRT_INP -i virbr0 -p udp --dport 53 -j ACCEPT
	-A LIBVIRT_INP -i virbr0 -p tcp --dport 53 -j ACCEPT
	-A LIBVIRT_INP -i virbr0 -p udp --dport 67 -j ACCEPT
	-A LIBVIRT_OUT -o virbr0 -p udp --dport 68 -j ACCEPT
	-A LIBVIRT_FWO -s 192.168.122.0/24 -i virbr0 -j ACCEPT
	-A LIBVIRT_FWO -i virbr0 -j REJECT
	-A LIBVIRT_FWI -d 192.168.122.0/24 -o virbr0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
	-A LIBVIRT_FWI -o virbr0 -j REJECT
	-A LIBVIRT_FWX -i virbr0 -o virbr0 -j ACCEPT
	COMMIT
	*nat
	:LIBVIRT_PRT - [0:0]
	-A LIBVIRT_PRT -s 192.168.122.0/24 -d 224.0.0.0/24 -j RETURN
	-A LIBVIRT_PRT -s 192.168.122.0/24 -d 255.255.255.255/32 -j RETURN
	-A LIBVIRT_PRT -s 192.168.122.0/24 ! -d 192.168.122.0/24 -p tcp -j MASQUERADE --to-ports 1024-65535
	-A LIBVIRT_PRT -s 192.168.122.0/24 ! -d 192.168.122.0/24 -p udp -j MASQUERADE --to-ports 1024-65535
	-A LIBVIRT_PRT -s 192.168.122.0/24 ! -d 192.168.122.0/24 -j MASQUERADE
	COMMIT
	*mangle
	:LIBVIRT_PRT - [0:0]
	COMMIT
END
first filter INPUT -j LIBVIRT_INP
first filter OUTPUT -j LIBVIRT_OUT
first filter FORWARD -j LIBVIRT_FWO
first filter FORWARD -j LIBVIRT_FWI
first filter FORWARD -j LIBVIRT_FWX
first nat POSTROUTING -j LIBVIRT_PRT
first mangle POSTROUTING -j LIBVIRT_PRT
