package sidecar

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"
)

// TestServerFirst passes on a connection whose client says nothing.
func TestServerFirst(t *testing.T) {
	up := speaking(t, func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "220 up\r\n")
		_, _ = io.Copy(c, c)
	})
	p, at, _ := behind(t, up, Config{})
	c := dial(t, at)
	hears(t, c, "220 up\r\n")
	say(t, c, "QUIT\r\n")
	hears(t, c, "QUIT\r\n")
	if s := p.Status(); s.TCP != 1 || s.Requests != 0 {
		t.Errorf("%+v", s)
	}
}

// TestHalfClosed has the client end first, and be answered all the same; then the
// server.
func TestHalfClosed(t *testing.T) {
	big := bytes.Repeat([]byte{1, 2, 3, 4}, 1<<20)
	up := speaking(t, func(c *net.TCPConn) {
		b, err := io.ReadAll(c)
		if err == nil {
			_, _ = c.Write(b)
		}
	})
	p, at, _ := behind(t, up, Config{})
	c := dial(t, at)
	if _, err := c.Write(big); err != nil {
		t.Fatal(err)
	}
	_ = c.CloseWrite()
	if b, err := io.ReadAll(c); err != nil || !bytes.Equal(b, big) {
		t.Errorf("%d bytes of %d came back, %v", len(b), len(big), err)
	}
	until(t, "the bytes are counted", func() bool {
		n := uint64(len(big))
		return p.meter.sent.Get() == n && p.meter.received.Get() == n
	})

	heard := make(chan string, 1)
	up = speaking(t, func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "bye")
		_ = c.CloseWrite()
		b, _ := io.ReadAll(c)
		heard <- string(b)
	})
	_, at, _ = behind(t, up, Config{})
	c = dial(t, at)
	if b, err := io.ReadAll(c); err != nil || string(b) != "bye" {
		t.Errorf("heard %q, %v", b, err)
	}
	say(t, c, "well then")
	c.Close()
	if words := <-heard; words != "well then" {
		t.Errorf("the server heard %q", words)
	}
}

// TestReset cuts off a client whose server is not there, or cuts it off itself.
func TestReset(t *testing.T) {
	cut := speaking(t, func(c *net.TCPConn) {
		_, _ = io.ReadFull(c, make([]byte, 2))
		_ = c.SetLinger(0)
	})
	for name, up := range map[string]netip.AddrPort{"not there": nobody(t), "cut off": cut} {
		_, at, _ := behind(t, up, Config{})
		c := dial(t, at)
		say(t, c, "\x16\x03")
		if _, err := io.ReadAll(c); !isReset(err) {
			t.Errorf("%s: it ends with %v", name, err)
		}
	}
}

// TestNext calls the next backend of a service where one is not there, within the
// retries; what goes on failing is left alone.
func TestNext(t *testing.T) {
	up := speaking(t, func(c *net.TCPConn) { _, _ = io.WriteString(c, "up") })
	gone := nobody(t)
	p, at, _ := behind(t, vip, Config{Retries: 1, Failures: 2, Open: time.Hour, Services: web(gone, up)})
	for i := 0; i < 10; i++ {
		c := dial(t, at)
		say(t, c, "\x00")
		hears(t, c, "up")
		c.Close()
	}
	if s := p.Status(); s.Connections != 12 || len(s.Open) != 1 || s.Open[0] != gone {
		t.Errorf("%+v", s)
	}
}

// TestTLS passes through as it is.
func TestTLS(t *testing.T) {
	up := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	defer up.Close()
	p, at, _ := behind(t, word(up.Listener.Addr()), Config{})
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		RootCAs: up.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, ServerName: "example.com",
	}}}
	res, err := c.Get("https://" + at)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if s := p.Status(); res.StatusCode != 200 || s.TCP != 1 || s.Requests != 0 {
		t.Errorf("status %d, %+v", res.StatusCode, s)
	}
}

// TestIsRequest tells requests from what is not, of as many bytes as it takes.
func TestIsRequest(t *testing.T) {
	for words, want := range map[string][2]bool{
		"GET / HTTP/1.1":           {true, true},
		"G":                        {false, false},
		"GET ":                     {false, false},
		"M-SEARCH * HTTP/1.1":      {true, true},
		"PRI * HTTP/2.0\r\n\r\nSM": {false, true},
		"CONNECT web:443 HTTP/1.1": {false, true},
		"GET http://web/":          {false, true},
		"get / HTTP/1.1":           {false, true},
		"EHLO mail.example":        {false, true},
		"SSH-2.0-x":                {false, true},
		"\x16\x03\x01":             {false, true},
		"ABCDEFGHIJKLMNOPQRST":     {false, true},
		" / HTTP/1.1":              {false, true},
		"":                         {false, false},
	} {
		if yes, sure := isRequest([]byte(words)); yes != want[0] || sure != want[1] {
			t.Errorf("%q: %v, %v", words, yes, sure)
		}
	}
}
