package e2e

// scenarios hold every command that changes something, in its variants.
var scenarios = []scenario{
	{
		name: "bridge", slow: true,
		typed: `
			network create lab
			create web --network lab
			create db cache
			connect db lab --ip 10.77.0.80 --alias store --alias sql --interface wan0 --mac 0a:00:00:00:00:99
			network create back --subnet 192.168.50.0/24 --gateway 192.168.50.254 --mtu 1400
			connect web back
			connect cache back --default-route=false
			down
			up

			publish web 8080:80 5353:53/udp 9000-9010:9100-9110 127.0.0.1:7000:70
			publish db 192.0.2.7:8080:80/sctp 8081:81
			unpublish web 5353:53/udp

			unpublish web
			disconnect web lab
			disconnect cache
			delete db

			delete --all
			network delete lab back`,
	},
	{
		name: "ipv6", slow: true,
		found: `
			ip link add up0 mtu 1450 address 0a:00:00:00:00:10 type veth peer up1 address 0a:00:00:00:00:11
			ip link set up0 up addrgenmode none
			ip link set up1 up addrgenmode none
			ip addr add 192.0.2.1/24 dev up0
			ip route add default via 192.0.2.254
			ip -6 addr add 2001:db8::1/64 dev up0 nodad
			ip -6 route add default via 2001:db8::ff`,
		typed: `
			network create six --ipv6
			create web --network six --ip6 fd77:77:77::80 --publish 8080:80 --publish 53:53/udp
			publish web 9090:90 0.0.0.0:9091:91 [2001:db8::1]:9092-9094:92-94

			network create own --subnet6 fd12:3456:789a::/64 --gateway6 fd12:3456:789a::9
			connect web own
			create db --network own
			down
			down
			up
			up
			unpublish web 9090:90

			disconnect web six
			delete web db
			network delete six`,
	},
	{
		name: "closed", slow: true,
		typed: `
			network create apart --icc=false --ipv6
			create a b --network apart
			publish a 8080:80
			network create vault --internal
			connect b vault
			network create cell --internal --icc=false
			connect b cell
			apply -f testdata/isolated.yaml

			delete a
			disconnect b apart`,
	},
	{
		name: "ptp", slow: true,
		typed: `
			network create cables --driver ptp --ipv6
			create a b --network cables
			publish a 8080:80 53:53/udp
			network create apart --driver ptp --icc=false --subnet 192.168.9.0/24
			connect b apart
			network create inner --driver ptp --internal
			connect b inner
			down
			up

			unpublish a
			delete a
			disconnect b cables`,
	},
	{
		name: "many", slow: true,
		typed: `
			create one --publish 8081:81 --alias www
			create --count 3 --prefix node --network default
			create side --share node1
			publish node1 8080:80

			network create a-rather-long-name-of-a-network
			connect node1 a-rather-long-name-of-a-network
			create a-rather-long-name-of-a-container --network a-rather-long-name-of-a-network --publish 82

			delete side node1
			delete node2 node3`,
	},
	{
		name: "pod", slow: true,
		typed: `
			network create lab --ipv6
			network create back --internal
			create web --network lab --publish 8080:80 --publish 53:53/udp
			create side log --share web
			connect side back --alias store
			delete web
			create web --share log
			service create app --network lab --port 80:8080 --backend side --backend web:8081
			down
			up

			delete log
			publish web 8081:81
			disconnect side back

			delete web side`,
	},
	{
		name: "adopt", slow: true,
		found: `
			touch /run/theirs
			unshare --net=/run/theirs true
			nsenter --net=/run/theirs ip link set lo up
			nsenter --net=/run/theirs ip link add their0 address 0a:00:00:00:00:01 type bridge
			nsenter --net=/run/theirs ip addr add 198.51.100.1/24 dev their0
			echo 3999 > /proc/sys/kernel/ns_last_pid
			unshare -n sleep infinity >/dev/null 2>&1 &`,
		typed: `
			create box --netns /run/theirs
			create job --pid 4000 --publish 8080:80

			connect box
			create beside --share box
			create near --share job
			delete box
			down
			up
			disconnect near

			delete job
			delete near beside`,
	},
	{
		name: "apply", slow: true,
		typed: `
			apply -f testdata/first.yaml
			apply -f testdata/second.yaml

			create by-hand --network front
			apply -f testdata/second.yaml

			apply -f testdata/second.yaml --prune

			apply -f testdata/first.yaml --prune`,
	},
	{
		name: "damage",
		typed: `
			create web --publish 8080:80
			create db --network default
			$ ip link del web-eth0
			repair
			$ ip -n db addr flush dev eth0
			$ iptables -t nat -F CNET-PUBLISH 2>/dev/null || nft flush map inet cnet ports4
			$ sysctl -qw net.ipv4.ip_forward=0
			repair

			$ ip netns del db
			$ ip link del cnet-default
			$ rm -r /etc/netns/web
			repair
			$ ip link set cnet-default mtu 1300
			$ ip -n web route del default
			$ iptables -F CNET-FORWARD 2>/dev/null || nft flush chain inet cnet forward
			repair

			repair`,
	},
	{
		name: "services", slow: true,
		typed: `
			network create lab --ipv6
			create a b --network lab --label app=web
			network create inner --internal
			create d --network lab --network inner
			service create web --network lab --port 80:8080 --port 53/udp --selector app=web --publish 8080:80 --publish 127.0.0.1:53:53/udp
			service create in --network inner --port 80 --backend d:8081 --vip 10.76.9.9 --affinity 1h
			service set web --weight a=95 --weight b=5 --mode exact --publish 8081:80
			network create cables --driver ptp --ipv6
			create p q --network cables
			service create wire --network cables --port 80 --backend p --backend q

			service add web d
			label a app-
			delete q
			service set web --publish none --weight none --mode random --port 81:80
			service delete wire in`,
	},
	{
		name: "proxies",
		typed: `
			network create lab --ipv6
			network create inner --internal
			create web api --network lab
			create log --share web
			connect web inner
			service create shop --network lab --port 80 --backend api
			sidecar attach log --retries 2 --circuit 5/30s --inbound
			edge start --listen 127.0.0.1:8080
			edge route shop.test --to shop

			sidecar attach web
			delete web
			sidecar attach api --inbound

			disconnect api
			sidecar detach log
			edge stop`,
	},
	{
		name: "move", slow: true,
		typed: `
			network create lab --ipv6
			create web --network lab --publish 8080:80 --publish 53:53/udp --publish 127.0.0.1:9000-9003:9100-9103
			network create cables --driver ptp --icc=false
			create p --network cables --publish 8081:81
			service create shop --network lab --port 80 --port 53/udp --backend web --publish 8083:80 --mode exact
			sidecar attach web --inbound
			repair --firewall nftables
			publish web 8082:82
			repair --firewall iptables

			repair --firewall nftables`,
	},
	{
		name: "host", slow: true,
		found: `
			ip netns add theirs
			sysctl -qw net.ipv4.ip_forward=1
			iptables -P FORWARD DROP
			iptables -A FORWARD -i lo -j ACCEPT
			iptables -t nat -A POSTROUTING -s 198.51.100.0/24 -j MASQUERADE
			iptables -t nat -A PREROUTING -p tcp --dport 2222 -j REDIRECT --to-ports 22
			mkdir -p /etc/netns/theirs
			echo 192.0.2.1 theirs > /etc/netns/theirs/hosts`,
		typed: `
			create web --publish 8080:80
			create db --network default --publish 127.0.0.1:5432:5432
			down
			up

			delete web`,
	},
}
