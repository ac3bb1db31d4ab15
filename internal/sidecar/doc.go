// Package sidecar is a transparent proxy beside a container's programs.
//
// It lives in the container's network namespace. A rule of the kernel leads the
// connections that the container makes to the proxy's port (REDIRECT in
// pkg/nat); the proxy asks the kernel where each was to go (SO_ORIGINAL_DST), and
// calls there itself, with a mark on its packets that the rule lets pass:
//
//	web ──connect 10.76.0.1:80──▶ [rule] ──▶ proxy :15001 ──connect, marked──▶ [rule] ──▶ c1, c2 …
//
// What begins as an HTTP/1 request is taken apart: requests that fail are tried
// again, the backends of a service are shared out here, and one that goes on
// failing is left alone. All else passes byte for byte: TLS, h2c, databases.
//
// Each try is a connection of its own. So the kernel's rules count what the proxy
// counts, and a try goes to the backend that is chosen now.
//
// A loop cannot be: the rules spare the mark twice, and the proxy knows its own
// connections when it meets them, should nobody spare them.
//
// socket(7) (SO_MARK), linux/netfilter_ipv4.h (SO_ORIGINAL_DST), RFC 9110.
package sidecar
