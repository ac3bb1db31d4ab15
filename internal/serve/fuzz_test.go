package serve

import (
	"bufio"
	"bytes"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/cnetlab/cnet/internal/fail"
)

func FuzzParseAddr(f *testing.F) {
	for _, s := range []string{":80", "127.0.0.1:5000", "[::1]:0", "[fe80::1%lo]:1", "x:1", ":", ":65536", "[::ffff:1.2.3.4]:5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := parseAddr(s)
		if err != nil {
			if fail.KindOf(err) != fail.Usage || strings.ContainsAny(err.Error(), "\x00\x1b\n") {
				t.Errorf("%q: kind %d, %q", s, fail.KindOf(err), err)
			}
			return
		}
		if !e.Addr().IsValid() || addrPort(e.sockaddr()).Port() != e.Port() {
			t.Errorf("%q reads as %v", s, e)
		}
	})
}

// FuzzAnswer answers what a stranger sends: an answer can be read, and nothing
// that steers a terminal comes back or into the log.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET /\x1b[31m HTTP/1.0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "HEAD / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(sent)))
		if err != nil {
			return
		}
		s := &Server{Name: "web"}
		line := req.Method + " " + req.RequestURI + " " + req.Proto
		status, body := s.answer(req, s.lines(netip.AddrPort{}, netip.AddrPort{}, line))
		if strings.Trim(body, "\n") == "" || strings.ContainsAny(body, "\x00\x1b\r") {
			t.Errorf("%q is answered by %q", sent, body)
		}
		var out bytes.Buffer
		if err := write(&out, req, status, body, status < 400 && asksToStay(req)); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(&out), req)
		if err != nil || res.StatusCode != status {
			t.Errorf("%q is answered by what is no answer: %v", sent, err)
		}
	})
}
