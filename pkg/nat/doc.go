// Package nat is the way of packets through the host: what is forwarded, whose
// source or destination is rewritten, and what is dropped.
//
// A container has a private address. The world has no route to it, so on the
// way out its packets borrow the host's address (masquerade, a form of source
// NAT), and on the way in callers use a port of the host that is rewritten to
// one of the container (destination NAT). The kernel decides this for the first
// packet of a connection, remembers it (conntrack), and does the same to the
// rest and the opposite to the replies. Rules stand in tables, by what they are
// for, and are asked at hooks on the packet's way:
//
//	arrives                                                              leaves
//	   |                                                                   ^
//	   v                                                                   |
//	PREROUTING ---> route ------------> FORWARD ----------------> POSTROUTING
//	raw:  CNET-RAW    |                 filter: CNET-FORWARD      nat: CNET-POSTROUTING
//	nat:  CNET-PUBLISH|                         |- CNET-GUARD          ^
//	                  v                         '- CNET-ALLOW          |
//	                INPUT                                           OUTPUT
//	                  |                                             nat: CNET-PUBLISH
//	                  v                                                ^
//	                  '-----------> a process of the host -------------'
//
// The chains named CNET- are cnet's own, and are entered before the host's other
// rules (see [Hook]). Who calls a published port comes by one of these ways, and
// each needs something else:
//
//	from                              what makes it work
//	outside                           Publish, on arrival; the guard lets DNAT pass
//	the host, by its address          Publish, in OUTPUT
//	the host, by 127.0.0.1            Publish in OUTPUT, Loopback, route_localnet
//	a sibling, by the host's address  Publish on arrival, Hairpin
//	the container itself              Publish, Hairpin, and its bridge port in hairpin mode
//	another network's container       Publish on arrival; the guard lets DNAT pass
//	any container, outwards           Masquerade, Forward, and net.ipv4.ip_forward
//
// The source is rewritten only where the reply would go astray, so that a server
// sees who calls.
//
// [Forward] closes a network by default: nothing enters it but replies and
// connections to published ports, whatever the caller's routes. The guards of all
// networks stand before the allowances of all networks, so their order is of no
// account.
//
// The facts are plain values. A backend renders them: with [Iptables] all facts of
// a batch go to the kernel by one iptables-restore --noflush for each family. Each
// table is committed by itself: all of it or nothing.
//
// # The same with nf_tables
//
// The backend [Nftables] speaks to the kernel by netlink and needs no program. It
// has one table, inet cnet, for both families. Its chains are made once and stay
// as they are; what changes are the elements of maps and sets, which the chains ask.
// So a packet, and a change, cost the same with one published port and with ten
// thousand: a map is a hash table, where a chain of rules is a list.
//
//	prerouting -110   is it for the host?  -> publish4  dnat to what bound4, ports4
//	output     -110   is it for the host?  -> publish4  or ranges4 say
//	forward     -10   which link?   from, to  -> entry   replies, published ports,
//	                                                     and what stays inside
//	                                          -> fresh   the same, but nothing inside
//	                                          -> closed  what stays inside only
//	                                          -> strict  fresh, but inside only
//	postrouting  90   whose address? masquerade4 -> masquerade4-lab
//	                  a hairpin turn? hairpin4   -> masquerade
//
//	map ports4 { type inet_proto . inet_service : ipv4_addr . inet_service
//	    elements = { tcp . 8080 counter comment "cnet web" : 10.77.0.2 . 80 } }
//
// The numbers are priorities: among the chains of all tables at a hook, the lowest
// is asked first. iptables has -100, 0 and 100 there (nft(8), "CHAINS"). An accept
// ends one base chain only, the next is asked still; a drop is final. So there are
// guards and no allowances: nothing that cnet could say would keep the chain of
// another from dropping.
//
// All facts of a batch are one transaction: all or nothing. Where the socket does
// not take it at once (root of a sandbox may not widen it), it is cut in some, in
// an order in which a thing is there before what leads to it.
//
// Failures wrap fs.ErrExist (the chain, or the element, is there already),
// fs.ErrNotExist (the chain or the map is not there: a [Hook] is missing),
// syscall.EPERM, exec.ErrNotFound, [ErrLocked], or syscall.EOPNOTSUPP where the
// kernel has no nf_tables.
//
// Man pages: iptables(8), iptables-extensions(8) (addrtype, conntrack, DNAT,
// MASQUERADE), iptables-restore(8), iptables-save(8), nft(8), conntrack(8). All rules are
// of the network namespace of the calling thread.
package nat
