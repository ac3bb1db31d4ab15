# Nobody: a host on which iptables was used before.
