package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func served(t *testing.T, name string, h http.HandlerFunc) Backend {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return Backend{name, netip.MustParseAddrPort(s.Listener.Addr().String()), 1}
}

// inTurn picks one backend after the other.
func inTurn(list ...Backend) Choice {
	return func(tried []Backend) (Backend, error) { return list[len(tried)], nil }
}

func post(t *testing.T, tr *Transport, choice Choice, body io.Reader) (status int, err error) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, "http://web/", body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := tr.RoundTrip(WithChoice(r, choice))
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	return res.StatusCode, nil
}

// TestSlowClient sends for longer than a backend has time to answer; and a backend
// that has all and is silent has no more than its time.
func TestSlowClient(t *testing.T) {
	const limit = 300 * time.Millisecond
	tr := &Transport{Base: &http.Transport{DisableKeepAlives: true}, Timeout: limit, Budget: &Budget{}, Breakers: &Breakers{}}
	for _, hangs := range []bool{false, true} {
		up := served(t, "up", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if hangs {
				<-r.Context().Done()
			}
		})
		body, writer := io.Pipe()
		go func() {
			_, _ = io.WriteString(writer, "a")
			time.Sleep(3 * limit)
			_, _ = io.WriteString(writer, "b")
			writer.Close()
		}()
		status, err := post(t, tr, inTurn(up), body)
		if hangs != errors.Is(err, ErrTimeout) || !hangs && status != 200 {
			t.Errorf("it hangs: %v; status %d, %v", hangs, status, err)
		}
	}
}

// TestUnreachedInTime has a backend whom nobody reaches: even a POST goes on.
func TestUnreachedInTime(t *testing.T) {
	far := Backend{"far", at(1), 1}
	up := served(t, "up", func(w http.ResponseWriter, r *http.Request) {})
	base := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr != far.At.String() {
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	tr := &Transport{Base: base, Retries: 1, Timeout: time.Second, Budget: &Budget{}, Breakers: &Breakers{}}
	if status, err := post(t, tr, inTurn(far, up), strings.NewReader("b")); status != 200 {
		t.Errorf("status %d, %v", status, err)
	}
	tr.Retries = 0
	if _, err := post(t, tr, inTurn(far), nil); !errors.Is(err, ErrTimeout) {
		t.Errorf("alone: %v", err)
	}
}

// TestUnread tries again after an answer whose body never ends.
func TestUnread(t *testing.T) {
	stuck := served(t, "stuck", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(500)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	up := served(t, "up", func(http.ResponseWriter, *http.Request) {})
	tr := &Transport{Base: &http.Transport{}, Retries: 1, Timeout: 10 * time.Second, Budget: &Budget{}, Breakers: &Breakers{}}
	r := httptest.NewRequest(http.MethodGet, "http://web/", nil)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	res, err := tr.RoundTrip(WithChoice(r.WithContext(ctx), inTurn(stuck, up)))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 || ctx.Err() != nil {
		t.Errorf("status %d, %v", res.StatusCode, ctx.Err())
	}
}

// TestPick has two requests choose the same backend at once, which one may try.
func TestPick(t *testing.T) {
	a, b := Backend{"a", at(1), 1}, Backend{"b", at(2), 1}
	var br Breakers
	br.Set(1, time.Hour)
	br.End(a.At, false)
	br.states[a.At].until = time.Now() // its time is over
	first := func([]Backend) (Backend, error) {
		if br.Open(a.At) {
			return b, nil
		}
		return a, nil
	}
	late := func(tried []Backend) (Backend, error) { // chose a before the other began
		p, err := first(tried)
		if p == a {
			br.Begin(a.At)
		}
		return p, err
	}
	if p, err := br.Pick(late, nil); p != b || err != nil {
		t.Errorf("it goes to %v, %v", p, err)
	}
	if _, err := br.Pick(func([]Backend) (Backend, error) { return a, nil }, nil); !errors.Is(err, ErrOpen) {
		t.Errorf("the only one: %v", err)
	}
}
