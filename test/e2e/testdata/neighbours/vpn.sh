# A VPN that takes all traffic by two routes more specific than the default one,
# and leaves the default route alone, as OpenVPN does.
ip netns add vpn 2> /dev/null || exit 0
ip link add tun0 type veth peer name tun0 netns vpn
ip -n vpn link set lo up
ip -n vpn link set tun0 up
ip link set tun0 up
ip -n vpn address add 10.8.0.1/24 dev tun0
ip -n vpn address add 198.51.100.1/32 dev lo
ip address add 10.8.0.2/24 dev tun0
ip route add 0.0.0.0/1 via 10.8.0.1
ip route add 128.0.0.0/1 via 10.8.0.1
