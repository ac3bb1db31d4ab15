# A host that forwards for nobody: a policy, and no rules.
iptables -P FORWARD DROP
ip6tables -P FORWARD DROP
