# A node of Kubernetes, kube-proxy in its mode iptables, with one service of a
# cluster address and a node port.
sysctl -qw net.ipv4.ip_forward=1
sysctl -qw net.ipv4.conf.all.route_localnet=1 # node ports at 127.0.0.1

# insert adds a rule at the head where it is missing; a second start leaves it
# where it is.
insert() {
	table=$1; shift
	iptables -t $table -C "$@" 2> /dev/null || iptables -t $table -I "$@"
}
iptables-restore --noflush <<-END
	*mangle
	:KUBE-KUBELET-CANARY - [0:0]
	:KUBE-PROXY-CANARY - [0:0]
	COMMIT
	*filter
	:KUBE-EXTERNAL-SERVICES - [0:0]
	:KUBE-FIREWALL - [0:0]
	:KUBE-FORWARD - [0:0]
	:KUBE-NODEPORTS - [0:0]
	:KUBE-PROXY-FIREWALL - [0:0]
	:KUBE-SERVICES - [0:0]
	-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
	-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
	-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
	-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
	COMMIT
	*nat
	:KUBE-EXT-A - [0:0]
	:KUBE-MARK-MASQ - [0:0]
	:KUBE-NODEPORTS - [0:0]
	:KUBE-POSTROUTING - [0:0]
	:KUBE-SEP-A - [0:0]
	:KUBE-SERVICES - [0:0]
	:KUBE-SVC-A - [0:0]
	-A KUBE-EXT-A -j KUBE-MARK-MASQ
	-A KUBE-EXT-A -j KUBE-SVC-A
	-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
	-A KUBE-NODEPORTS -p tcp --dport 30080 -j KUBE-EXT-A
	-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
	-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
	-A KUBE-POSTROUTING -j MASQUERADE --random-fully
	-A KUBE-SEP-A -s 10.244.0.5/32 -j KUBE-MARK-MASQ
	-A KUBE-SEP-A -p tcp -j DNAT --to-destination 10.244.0.5:8080
	-A KUBE-SERVICES -d 10.96.0.10/32 -p tcp --dport 80 -j KUBE-SVC-A
	-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
	-A KUBE-SVC-A ! -s 10.244.0.0/16 -d 10.96.0.10/32 -p tcp --dport 80 -j KUBE-MARK-MASQ
	-A KUBE-SVC-A -j KUBE-SEP-A
	COMMIT
END
insert nat POSTROUTING -j KUBE-POSTROUTING
insert nat PREROUTING -j KUBE-SERVICES
insert nat OUTPUT -j KUBE-SERVICES
new="-m conntrack --ctstate NEW -j"
insert filter INPUT $new KUBE-EXTERNAL-SERVICES
insert filter INPUT -j KUBE-NODEPORTS
insert filter INPUT $new KUBE-PROXY-FIREWALL
insert filter INPUT -j KUBE-FIREWALL
insert filter FORWARD $new KUBE-EXTERNAL-SERVICES
insert filter FORWARD $new KUBE-SERVICES
insert filter FORWARD -j KUBE-FORWARD
insert filter FORWARD $new KUBE-PROXY-FIREWALL
insert filter OUTPUT $new KUBE-SERVICES
insert filter OUTPUT $new KUBE-PROXY-FIREWALL
insert filter OUTPUT -j KUBE-FIREWALL
