# A legacy policy alone: no rule would show it.
iptables-legacy -P FORWARD DROP
ip6tables-legacy -P FORWARD DROP
