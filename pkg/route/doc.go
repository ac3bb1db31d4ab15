// Package route is the chapter on what makes a link talk IP: being up, having an
// address, and routes.
//
// A link that is up carries frames. An address makes the namespace the owner of
// one IP address, and its length in bits (the /24) says which others are reached
// directly: the kernel adds a connected route for them. All else needs a route
// that names a gateway, which must itself be reached directly. The host to
// deliver to is found by the longest prefix that matches:
//
//	in web:    0.0.0.0/0     via 10.77.0.1   dev eth0     by hand: the default route
//	           10.77.0.0/24                  dev eth0     from the address, by the kernel
//
//	to 10.77.0.3   10.77.0.0/24 is longer   ask by ARP for 10.77.0.3, send to its MAC
//	to 192.0.2.7   only 0.0.0.0/0 matches   ask by ARP for 10.77.0.1, send to its MAC
//
// Setting a link down deletes the routes over it. Setting it up again brings
// only the connected one back.
//
// IPv6 does more by itself: a link that comes up gives itself an address
// (fe80::...) and speaks to its neighbours before anyone asked, see
// [NoAddrGen]; and a new address is not used before it was asked for on the link
// whether somebody else has it. Addresses that are handed out with care need no
// such asking, so [Address] switches it off (nodad), and they work at once.
//
// Sources: ip-link(8), ip-address(8), ip-route(8), rtnetlink(7), RFC 4862.
package route
