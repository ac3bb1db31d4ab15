# The legacy tables hold somebody's firewall, beside those of nf_tables.
for command in iptables-legacy ip6tables-legacy; do
	$command -P FORWARD DROP
	$command -F FORWARD
	$command -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
done
