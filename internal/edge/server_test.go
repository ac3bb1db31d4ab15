package edge

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestRenew changes how an address is served while it is called: nobody is refused.
func TestRenew(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // the file is the socket now
	at := netip.MustParseAddrPort(l.Addr().String())
	s := NewServer()
	s.errs = log.New(io.Discard, "", 0)
	pair, pool := signed(t)
	know := func(header int, tls ...netip.AddrPort) {
		t.Helper()
		k := Know{Config: one(t, limits, func(http.ResponseWriter, *http.Request) {}), TLS: tls}
		k.Limits.Header, k.Certificates = header, []Pair{pair}
		data, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Know(data, nil); err != nil {
			t.Fatal(err)
		}
	}
	know(8 << 10)
	if err := s.Listen(at, []*os.File{f}); err != nil {
		t.Fatal(err)
	}
	f.Close()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		s.Drain(ctx)
	})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "shop.test"}}}
	status := func(scheme string, header int) int {
		r, _ := http.NewRequest(http.MethodGet, scheme+"://"+at.String(), nil)
		r.Header.Set("X-Long", strings.Repeat("a", header))
		res, err := client.Do(r)
		if err != nil {
			t.Error(err)
			return 0
		}
		res.Body.Close()
		return res.StatusCode
	}
	var done atomic.Bool
	ended := make(chan bool)
	go func() {
		defer close(ended)
		for !done.Load() {
			if got := status("http", 0); got != http.StatusOK {
				t.Errorf("meanwhile: %d", got)
			}
		}
	}()
	for i := 0; i < 20; i++ {
		know(8<<10 + i)
	}
	know(64 << 10)
	done.Store(true)
	<-ended
	if got := status("http", 30<<10); got != http.StatusOK {
		t.Errorf("with longer headers: %d", got)
	}
	know(64<<10, at)
	if got := status("https", 0); got != http.StatusOK {
		t.Errorf("with TLS: %d", got)
	}
	if err := s.Close(at); err != nil {
		t.Error(err)
	}
}
