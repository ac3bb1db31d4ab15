package edge

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/http2"
)

// plain serves HTTP/2 without TLS to who begins with its preface (RFC 9113, 3.3),
// all of which must be there in time, and leaves other requests to next. It is not
// that of h2c, which waits for the preface for ever, and takes upgrades too, whose
// bodies it keeps in memory however long they are.
func plain(next http.Handler, h2 *http2.Server, patience time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "PRI" || r.URL.Path != "*" || r.ProtoMajor != 2 {
			next.ServeHTTP(w, r)
			return
		}
		server, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		if !preface(conn, rw.Reader, patience) {
			return
		}
		h2.ServeConn(begun{conn, rw.Reader}, &http2.ServeConnOpts{
			Context: r.Context(), BaseConfig: server, Handler: next, SawClientPreface: true,
		})
	})
}

// preface reads the rest of the preface, which the server took for a request.
func preface(conn net.Conn, r io.Reader, patience time.Duration) bool {
	const rest = "SM\r\n\r\n"
	got := make([]byte, len(rest))
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	_, err := io.ReadFull(r, got)
	_ = conn.SetReadDeadline(time.Time{})
	return err == nil && string(got) == rest
}

// begun is a connection of which some was read.
type begun struct {
	net.Conn
	r *bufio.Reader
}

func (b begun) Read(p []byte) (int, error) { return b.r.Read(p) }

// noTunnel has a request not ask for HTTP/2 instead: what a backend would then be
// sent, no route has seen.
func noTunnel(h http.Header) {
	if strings.Contains(strings.ToLower(strings.Join(h.Values("Upgrade"), ",")), "h2c") {
		h.Del("Upgrade")
	}
}
