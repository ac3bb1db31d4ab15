package sidecar

import (
	"bufio"
	"net"
	"time"
)

// The proxy listens so long for what a client says first. One that waits for its
// server to speak, as of SMTP or a database, says nothing.
const listening = 200 * time.Millisecond

// longestMethod bounds the method of a request that is taken for one, in bytes.
const longestMethod = 16

// speaksHTTP reports whether a connection begins with a request of HTTP/1. What was
// read stays in r.
func speaksHTTP(c net.Conn, r *bufio.Reader) bool {
	_ = c.SetReadDeadline(time.Now().Add(listening))
	defer func() { _ = c.SetReadDeadline(time.Time{}) }()
	for n := 1; n <= longestMethod+2; n++ {
		b, err := r.Peek(max(n, r.Buffered()))
		if yes, sure := isRequest(b[:min(len(b), longestMethod+2)]); sure {
			return yes
		}
		if err != nil {
			return false
		}
	}
	return false
}

// isRequest reports whether bytes begin a request: a method in capitals and a
// path. The preface of HTTP/2 does not, though it is made to look so; what follows
// a CONNECT is not HTTP; and a whole URL is for a proxy that the client knows of.
func isRequest(b []byte) (yes, sure bool) {
	for i, c := range b {
		switch {
		case c >= 'A' && c <= 'Z' || c == '-' && i > 0:
		case c == ' ' && i > 0 && i <= longestMethod:
			method := string(b[:i])
			if method == "PRI" || method == "CONNECT" {
				return false, true
			}
			if i+1 >= len(b) {
				return false, false
			}
			t := b[i+1]
			return t == '/' || t == '*', true
		default:
			return false, true
		}
	}
	return false, len(b) > longestMethod
}
