// Package veth is the chapter on veth pairs: the network cable of containers.
//
// A veth pair is two Ethernet links made together and joined for life. What is
// sent into one end comes out of the other, with nothing in between. Each end
// can be in a namespace of its own, and that is the point: the pair is the way
// for frames to cross from one network stack to another.
//
//	the host                        |  namespace web
//	                                |
//	+----------------+              |  +------------------+
//	| web-eth0       |==== cable ======| eth0             |
//	| no address     |              |  | 10.77.0.2/24     |
//	| in the bridge  |              |  | 0a:77:0a:4d:00:02|
//	+----------------+              |  +------------------+
//
// An end has carrier only while the other end is up, as with a real cable. And
// neither end outlives the other: deleting one deletes both, and deleting a
// namespace deletes the ends inside it. The kernel does the latter some time
// after the namespace is gone, so for a while the host's end can still be there.
// To be sure, delete the pair before its namespace.
//
// The far end is best made inside its namespace from the start, with its address
// and MTU, in the one message that makes the pair. An end that is made on the
// host and moved later is seen by the host's own daemons in between, which may
// rename it, give it another MAC address, or put addresses on it.
//
// Sources: veth(4), ip-link(8), rtnetlink(7).
package veth
