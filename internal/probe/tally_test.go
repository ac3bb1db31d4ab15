package probe

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cnetlab/cnet/internal/serve"
)

func TestCount(t *testing.T) {
	good := start(t, &serve.Server{Name: "web", Addr: "127.0.0.1:0"})
	bad := start(t, &serve.Server{Name: "web", Addr: "127.0.0.1:0", FailRate: 100})
	udp := start(t, &serve.Server{Name: "dns", Addr: "127.0.0.1:0", UDP: true})
	steering := raw(t, says("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nname \x1b[2J\n\n\n\n"))
	for _, c := range []struct {
		target Target
		stays  bool
		want   string
		ok     bool
	}{
		{target(t, "http://127.0.0.1:%d", good), false, "CALLS  ANSWER\n    3  web\n", true},
		{target(t, "http://127.0.0.1:%d", good), true, "CALLS  ANSWER\n    3  web\n", true},
		{target(t, "http://127.0.0.1:%d", bad), true, "CALLS  ANSWER\n    3  HTTP status 500 Internal Server Error\n", false},
		{target(t, "http://127.0.0.1:%d", closedPort(t)), false, "CALLS  ANSWER\n    3  ECONNREFUSED\n", false},
		{target(t, "http://127.0.0.1:%d", steering), false, "CALLS  ANSWER\n    3  HTTP status 200\n", true},
		{target(t, "udp://127.0.0.1:%d", udp), false, "CALLS  ANSWER\n    3  dns\n", true},
	} {
		n := Count(context.Background(), c.target, Options{}, 3, c.stays)
		if diff := cmp.Diff(c.want, n.Text()); diff != "" || n.OK() != c.ok {
			t.Errorf("%s: OK %v, want %v; (-want +got):\n%s", c.target, n.OK(), c.ok, diff)
		}
	}
}

// TestStays counts the connections of a client that stays.
func TestStays(t *testing.T) {
	port := start(t, &serve.Server{Name: "web", Addr: "127.0.0.1:0"})
	for _, stays := range []bool{false, true} {
		c := client{target: target(t, "http://127.0.0.1:%d", port), stays: stays}
		from := make(map[string]bool)
		for i := 0; i < 3; i++ {
			from[c.run(context.Background()).Local] = true
		}
		c.close()
		if want := map[bool]int{false: 3, true: 1}[stays]; len(from) != want {
			t.Errorf("stays %v: it asked from %v, want %d connections", stays, from, want)
		}
	}
}

func TestCountEnds(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if n := Count(ctx, Target{Scheme: TCP, Host: "127.0.0.1", Port: 1}, Options{}, 1000, false); n.Calls > 0 {
		t.Errorf("%d calls after the end", n.Calls)
	}
}
