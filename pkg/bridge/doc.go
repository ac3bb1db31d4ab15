// Package bridge is the chapter on the Linux bridge: a network switch in the
// kernel.
//
// A link becomes a port of a bridge by getting the bridge as its master. From
// then on the frames that come in at the port belong to the bridge. It learns
// which MAC address is behind which port, sends a frame for a known address out
// of that port alone, and floods the others to all ports.
//
//	                    cnet-lab  10.77.0.1/24
//	                    (the host's own port: the gateway)
//	                        |
//	+---------------- the bridge cnet-lab -----------------+
//	|   0a:77:0a:4d:00:02 -> web-eth0                      |
//	|   0a:77:0a:4d:00:03 -> db-eth0                       |
//	+------+------------------------+----------------------+
//	       | port web-eth0          | port db-eth0
//	       |                        |
//	   eth0 in web              eth0 in db
//
// The bridge is itself a link, by which the host takes part as if by one more
// port. Its address is the gateway of the containers; the links that are ports
// need no address.
//
// A bridge with no MAC address of its own takes the lowest of its ports', and so
// changes it as ports come and go, which neighbours notice. Give it one.
//
// A frame never leaves by the port it came in at, unless the port is a hairpin
// (see [Hairpin]). Two isolated ports (see [Isolated]) do not hear each other,
// only the ports that are not isolated and the host.
//
// A switch knows nothing of IP, so iptables does not see frames that stay within
// the bridge, unless they are passed to it (see [Filtered]).
//
// Sources: bridge(8), ip-link(8), "Ethernet Bridging" in the kernel's
// documentation (networking/bridge), IEEE 802.1Q.
package bridge
