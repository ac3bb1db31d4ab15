# A VPN of policy routing, as wg-quick makes it: what main has but a default
# route for goes to the tunnel, unless it is the tunnel's own.
ip netns add vpn 2> /dev/null || exit 0
ip link add wg0 type veth peer name wg0 netns vpn
ip -n vpn link set lo up
ip -n vpn link set wg0 up
ip link set wg0 up
ip -n vpn address add 10.8.0.1/24 dev wg0
ip -n vpn address add 198.51.100.1/32 dev lo
ip address add 10.8.0.2/24 dev wg0
ip route add default via 10.8.0.1 dev wg0 table 51820
ip rule add not fwmark 0xca6c table 51820
ip rule add table main suppress_prefixlength 0
