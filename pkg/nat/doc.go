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
// The facts are plain values. A backend renders them: now iptables, with which
// all facts of a batch go to the kernel by one iptables-restore --noflush for each
// family. Each table is committed by itself: all of it or nothing. Failures wrap
// fs.ErrExist (the chain is there already), fs.ErrNotExist (the chain is not
// there: a [Hook] is missing), syscall.EPERM, exec.ErrNotFound or [ErrLocked].
//
// Man pages: iptables(8), iptables-extensions(8) (addrtype, conntrack, DNAT,
// MASQUERADE), iptables-restore(8), iptables-save(8), conntrack(8). All rules are
// of the network namespace of the calling thread.
package nat
