// Package names answers for the names of containers and services: one DNS
// server for the host, which listens on the gateways' addresses.
//
//	c1 in lab                        the host
//	resolv.conf: nameserver 10.77.0.1 --> the server, at 10.77.0.1 port 53
//	             search cnet               web.cnet?  who asks: 10.77.0.2, so c1
//	                                       what c1 sees: its networks' names
//	                                       10.77.0.3, or no such name
//	                                       example.org? on to the host's resolvers
//
// A [Book] is what the server must know of a topology, and a [Zone] what it
// makes of a book: it is not changed any more, and a change puts another in its
// place. Who asks is known by the source address, at the gateway that was asked;
// whom nobody knows is refused.
//
// A name is written web, web.lab (in network lab), or either with .cnet behind
// it (RFC 1034; upper and lower case are the same, RFC 4343).
package names
