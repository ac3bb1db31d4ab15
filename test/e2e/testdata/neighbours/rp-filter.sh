# Strict reverse path filtering (RFC 3704) on all links, and on those to come.
for link in /proc/sys/net/ipv4/conf/*; do echo 1 > $link/rp_filter; done
