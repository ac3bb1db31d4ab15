# A company's network that holds the subnet.
ip link show corp0 > /dev/null 2>&1 || ip link add corp0 type veth peer name corp1
ip address replace 192.0.2.2/24 dev corp0
ip link set corp1 up
ip link set corp0 up
ip route replace 10.77.0.0/16 via 192.0.2.1 dev corp0
