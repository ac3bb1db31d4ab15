# A legacy policy alone: no rule would show it.
cat /proc/net/ip_tables_names > /dev/null 2>&1 || { echo the kernel does not tell a user which legacy tables there are; exit 77; }
iptables-legacy -P FORWARD DROP
ip6tables-legacy -P FORWARD DROP
