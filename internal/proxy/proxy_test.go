package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func at(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
}

// TestPool shares out exactly, and evenly in time.
func TestPool(t *testing.T) {
	p := NewPool([]Backend{{"a", at(1), 5}, {"b", at(2), 1}, {"c", at(3), 1}, {"never", at(4), 0}})
	all := func(Backend) bool { return true }
	var order strings.Builder
	for i := 0; i < 14; i++ {
		b, ok := p.Next(all)
		if !ok {
			t.Fatal("there is no backend")
		}
		order.WriteString(b.Name)
	}
	if got := order.String(); got != "aabacaaaabacaa" {
		t.Errorf("the order is %s", got)
	}
	for i := 0; i < 10; i++ {
		if b, ok := p.Next(func(b Backend) bool { return b.Name != "a" && b.Name != "b" }); !ok || b.Name != "c" {
			t.Errorf("only c is usable, and %v is picked", b)
		}
	}
	if _, ok := p.Next(func(Backend) bool { return false }); ok {
		t.Error("nobody is usable, and somebody is picked")
	}
}

// TestBreakers opens after failures in a row, lets one try, and closes.
func TestBreakers(t *testing.T) {
	var b Breakers
	b.Set(3, 50*time.Millisecond)
	for _, ok := range []bool{false, false, true, false, false} {
		b.End(at(1), ok)
	}
	if b.Open(at(1)) || !b.Begin(at(1)) {
		t.Error("it is open after two failures in a row")
	}
	b.End(at(1), false)
	if !b.Open(at(1)) || b.Begin(at(1)) || len(b.List()) != 1 || b.Open(at(2)) {
		t.Error("it is not open after three failures in a row")
	}
	for end := time.Now().Add(5 * time.Second); b.Open(at(1)) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if !b.Begin(at(1)) || b.Begin(at(1)) {
		t.Error("when it was open for long enough, not one and only one may try")
	}
	b.End(at(1), false)
	if !b.Open(at(1)) {
		t.Error("it closes though the one that tried has failed")
	}
	b.Set(0, 0)
	if b.Open(at(1)) || !b.Begin(at(1)) || len(b.List()) != 0 {
		t.Error("it is open though it was switched off")
	}
}

// TestBudget bounds retries in the long run.
func TestBudget(t *testing.T) {
	var b Budget
	retries := 0
	for i := 0; i < 1000; i++ {
		b.Request()
		for k := 0; k < 2 && b.Retry(); k++ {
			retries++
		}
	}
	if retries > reserve+1000*deposit || retries < 1000*deposit {
		t.Errorf("1000 requests have %d retries", retries)
	}
}

// tries answers what it is told to, one after the other, and keeps the bodies.
type tries struct {
	ends   []end
	bodies []string
	to     []string
}

type end struct {
	status int
	err    error
}

func (s *tries) RoundTrip(r *http.Request) (*http.Response, error) {
	e := s.ends[len(s.to)]
	s.to = append(s.to, r.URL.Host)
	if !IsUnreached(e.err) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		s.bodies = append(s.bodies, string(b))
	}
	if e.err != nil {
		return nil, e.err
	}
	return &http.Response{StatusCode: e.status, Body: io.NopCloser(strings.NewReader("answer"))}, nil
}

// TestTransport tries again what is safe to try again, and nothing else.
func TestTransport(t *testing.T) {
	gone, reset := end{err: Unreached(errors.New("refused"))}, end{err: errors.New("reset")}
	good, bad := end{status: 200}, end{status: 500}
	long := strings.Repeat("a", maxKept+1)
	for _, c := range []struct {
		name, method, body, key string
		ends                    []end
		status, tries           int
	}{
		{"well", "GET", "", "", []end{good}, 200, 1},
		{"failed once", "GET", "", "", []end{bad, good}, 200, 2},
		{"failed always", "GET", "", "", []end{bad, bad, bad, good}, 500, 3},
		{"reset once", "PUT", "b", "", []end{reset, good}, 200, 2},
		{"not asked for twice", "POST", "b", "", []end{bad, good}, 500, 1},
		{"reset, not asked for twice", "POST", "b", "", []end{reset, good}, 0, 1},
		{"nobody reached", "POST", "b", "", []end{gone, gone, good}, 200, 3},
		{"reached in the end", "POST", "b", "", []end{gone, reset, good}, 0, 2},
		{"a key", "POST", "b", "7", []end{reset, bad, good}, 200, 3},
		{"a long body", "PUT", long, "", []end{bad, good}, 500, 1},
		{"a long body that nobody saw", "PUT", long, "", []end{gone, good}, 200, 2},
		{"an answer", "GET", "", "", []end{{status: 404}, good}, 404, 1},
		{"no use in it", "GET", "", "", []end{{status: 501}, good}, 501, 1},
		{"never again", "GET", "", "", []end{{err: Final(errors.New("loop"))}, good}, 0, 1},
	} {
		r := httptest.NewRequest(c.method, "http://web/", bytes.NewBufferString(c.body))
		if c.key != "" {
			r.Header.Set("Idempotency-Key", c.key)
		}
		backends := []Backend{{"a", at(1), 1}, {"b", at(2), 1}, {"c", at(3), 1}}
		s := &tries{ends: c.ends}
		seen := 0
		tr := &Transport{Base: s, Retries: 2, Timeout: time.Minute, Budget: &Budget{}, Breakers: &Breakers{}, Seen: func(_ *http.Request, y Try) {
			if seen++; y.Number != seen-1 {
				t.Errorf("%s: try %d is told as %d", c.name, seen, y.Number)
			}
		}}
		res, err := tr.RoundTrip(WithChoice(r, func(tried []Backend) (Backend, error) { return backends[len(tried)], nil }))
		status := 0
		if err == nil {
			status = res.StatusCode
		}
		if status != c.status || len(s.to) != c.tries || seen != c.tries {
			t.Errorf("%s: status %d after %d tries, want %d after %d (%v)", c.name, status, len(s.to), c.status, c.tries, err)
		}
		for _, b := range s.bodies {
			if b != c.body {
				t.Errorf("%s: a body of %d bytes was sent, not %d", c.name, len(b), len(c.body))
			}
		}
	}
}

// TestTimeout ends a try whose answer does not begin, and not one that is long.
func TestTimeout(t *testing.T) {
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			<-r.Context().Done()
			return
		}
		w.WriteHeader(200)
		_ = http.NewResponseController(w).Flush()
		time.Sleep(100 * time.Millisecond)
		_, _ = io.WriteString(w, "late")
	}))
	defer slow.Close()
	backend := Backend{"slow", netip.MustParseAddrPort(slow.Listener.Addr().String()), 1}
	tr := &Transport{Base: &http.Transport{}, Timeout: 50 * time.Millisecond, Budget: &Budget{}, Breakers: &Breakers{}}
	ask := func(path string) (string, error) {
		r := httptest.NewRequest(http.MethodGet, "http://web"+path, nil)
		r.RequestURI = ""
		res, err := tr.RoundTrip(WithChoice(r, func([]Backend) (Backend, error) { return backend, nil }))
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		return string(b), err
	}
	if _, err := ask("/hang"); !errors.Is(err, ErrTimeout) {
		t.Errorf("no answer began: %v", err)
	}
	if body, err := ask("/"); body != "late" || err != nil {
		t.Errorf("an answer that is long: %q, %v", body, err)
	}
}
