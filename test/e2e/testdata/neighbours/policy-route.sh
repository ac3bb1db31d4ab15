# The same by a table of its own, which is asked before main.
ip link show corp0 > /dev/null 2>&1 || ip link add corp0 type veth peer name corp1
ip address replace 192.0.2.2/24 dev corp0
ip link set corp1 up
ip link set corp0 up
ip route replace 10.0.0.0/8 via 192.0.2.1 dev corp0 table 100
ip rule show | grep -q 'lookup 100' || ip rule add to 10.0.0.0/8 lookup 100
