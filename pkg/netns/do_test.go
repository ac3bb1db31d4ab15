package netns_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
)

func here(t *testing.T) string {
	t.Helper()
	id, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestDo(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		hosttest.Sh(t, "ip netns add web")
		home := here(t)
		var inside string
		failure := errors.New("failure")
		if err := netns.Do("/run/netns/web", func() error { inside = here(t); return failure }); err != failure {
			t.Errorf("error of the function: %v", err)
		}
		if inside == home || here(t) != home {
			t.Errorf("home %s, inside %s, afterwards %s", home, inside, here(t))
		}
		if err := netns.Do("", func() error { inside = here(t); return nil }); err != nil || inside != home {
			t.Errorf("the host: %s, %v", inside, err)
		}
		if err := netns.Do("/run/netns/none", func() error { return nil }); !errors.Is(err, fs.ErrNotExist) || !netns.Gone(err) {
			t.Errorf("a namespace that is not there: %v", err)
		}
		if err := netns.Do("/etc/passwd", func() error { return nil }); !errors.Is(err, netns.ErrNotNamespace) {
			t.Errorf("a plain file: %v", err)
		}
	})
}

// Many goroutines at once come home, every one.
func TestDoParallel(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		hosttest.Sh(t, "ip netns add web; ip netns add db")
		home := here(t)
		var wg sync.WaitGroup
		for i := 0; i < 50; i++ {
			path := []string{"/run/netns/web", "/run/netns/db"}[i%2]
			wg.Add(1)
			go func() {
				defer wg.Done()
				_ = netns.Do(path, func() error { return nil })
				if id := here(t); id != home {
					t.Errorf("in %s, not %s", id, home)
				}
			}()
		}
		wg.Wait()
	})
}

// A session keeps its sockets, and lets go of those of a namespace that ends.
func TestKeep(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		ctx, done := netns.Keep(context.Background())
		defer done()
		hosttest.Sh(t, "mkdir /run/netns")
		web := netns.Named{Path: "/run/netns/web"}
		handle := func() (h *netlink.Handle) {
			if err := netns.With(ctx, web.Path, func(got *netlink.Handle) error { h = got; return nil }); err != nil {
				t.Fatal(err)
			}
			return h
		}
		if err := web.Make(ctx); err != nil {
			t.Fatal(err)
		}
		first := handle()
		if handle() != first {
			t.Error("the handle was not kept")
		}
		if err := web.Break(ctx); err != nil {
			t.Fatal(err)
		}
		if err := web.Make(ctx); err != nil {
			t.Fatal(err)
		}
		if handle() == first {
			t.Error("the handle leads into the namespace that was deleted")
		}
		done()
		if n := sockets(t); n != 0 {
			t.Errorf("%d sockets are still open", n)
		}
	})
}

func sockets(t *testing.T) (n int) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, _ := os.Readlink("/proc/self/fd/" + fd.Name()); strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

func TestWords(t *testing.T) {
	for _, c := range []struct{ path, ip, cmd, say string }{
		{"", "ip link", "true", "eth0"},
		{"/run/netns/web", "ip -n web link", "ip netns exec web true", "web's eth0"},
		{"/proc/42/ns/net", "nsenter --net=/proc/42/ns/net ip link", "nsenter --net=/proc/42/ns/net true", "/proc/42/ns/net's eth0"},
	} {
		got := []string{netns.IP(c.path, "link").String(), netns.Cmd(c.path, "true").String(), netns.SayLink(c.path, "eth0")}
		if diff := cmp.Diff([]string{c.ip, c.cmd, c.say}, got); diff != "" {
			t.Errorf("%q: %s", c.path, diff)
		}
	}
}
