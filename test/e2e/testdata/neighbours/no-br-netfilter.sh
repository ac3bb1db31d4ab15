# The module br_netfilter is not loaded: its settings are not there, and packets
# within a bridge pass no iptables.
if [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]; then
	for family in ip ip6; do sysctl -qw net.bridge.bridge-nf-call-${family}tables=0; done
	mount -t tmpfs none /proc/sys/net/bridge
fi
