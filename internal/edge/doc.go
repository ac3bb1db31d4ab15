// Package edge is a reverse proxy for HTTP at the host's edge: one door, and behind
// it services by host and path.
//
//	client ──▶ :80, :443 ──▶ route (host, path) ──▶ service ──▶ backend
//	                            │ a header or a cookie says which,
//	                            │ or the weights, or a sticky cookie
//	                            ├──▶ a copy to the mirror, not waited for
//	                            └──▶ another backend, then the failover, where one fails
//
// nat could do little of this: it decides over a connection by its first packet,
// before the client has said a word. A header, a cookie, a path come later; so who
// decides by them has to take the connection itself, and make another.
//
// HTTP is left to net/http, httputil and golang.org/x/net/http2 (for h2c): HTTP/1.1,
// HTTP/2 with TLS and without, WebSocket. RFC 9110, RFC 9112, RFC 9113, RFC 6455.
package edge
