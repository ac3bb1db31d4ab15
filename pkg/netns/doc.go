// Package netns is the chapter on network namespaces.
//
// A network namespace is a network stack of its own: its own links, addresses,
// routes, neighbours, firewall rules, sockets and settings under
// /proc/sys/net. A process lives in exactly one; what a "container" sees as
// its network is nothing but the namespace that its processes were started in.
//
// A namespace lives as long as something refers to it: a process in it, an open
// file, or a mount. Processes come and go, so a namespace that is to stay gets a
// mount: the file /proc/self/ns/net of a process inside is bind mounted on an
// ordinary empty file. This is all that `ip netns add web` does:
//
//	/run/netns/            the kernel
//	|
//	+- web  ==bind mount==>  [ namespace net:[4026532281] ]
//	|                           lo        DOWN
//	+- db   ==bind mount==>  [ namespace net:[4026532344] ]
//	                            lo        DOWN
//
// A fresh namespace holds one link, lo, which is down. It reaches nothing and
// nothing reaches it, until a cable is put in (package veth).
//
// Entering is a property of a thread, not of a process: setns(2) moves the
// calling thread alone. Go moves goroutines between threads as it likes, so [Do]
// locks a thread, enters, works, and goes back; a thread that cannot go back is
// thrown away. Sockets stay in the namespace that they were opened in, which is
// why [With] needs to enter a namespace only once to talk to it many times.
//
// `ip netns exec web CMD` also shows CMD the files of /etc/netns/web in the place
// of those of /etc: this is how each namespace gets a hosts and a resolv.conf of
// its own (see [File]).
//
// Sources: network_namespaces(7), namespaces(7), setns(2), unshare(2), mount(2),
// mount_namespaces(7), ip-netns(8).
package netns
