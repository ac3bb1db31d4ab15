package netns_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
)

func TestMain(m *testing.M) { hosttest.Main(m) }

func TestTwoWorlds(t *testing.T) {
	dir := netns.Dir{Path: "/run/netns"}
	web := netns.Named{Path: "/run/netns/web"}
	for _, c := range []struct {
		name  string
		setup string
		facts []fact.Fact
	}{
		{"dir not there", "", []fact.Fact{dir}},
		{"dir plain", "mkdir /run/netns", []fact.Fact{dir}},
		{"dir private", "mkdir /run/netns; mount --bind /run/netns /run/netns", []fact.Fact{dir}},
		{"dir in use", "ip netns add other", []fact.Fact{dir}},
		{"named", "", []fact.Fact{dir, web, netns.Named{Path: "/run/netns/db"}}},
		{"named elsewhere", "", []fact.Fact{netns.Named{Path: "/run/elsewhere"}}},
		{"bind", "ip netns add other", []fact.Fact{dir, netns.Bind{Path: "/run/netns/web", Source: "/run/netns/other"}}},
		{"bind process", "", []fact.Fact{dir, netns.Bind{Path: "/run/netns/web", Source: "/proc/1/ns/net"}}},
		{"files", "", []fact.Fact{
			netns.File{Path: "/etc/netns/web/hosts", Content: "127.0.0.1 localhost\n10.77.0.2 web\n"},
			netns.File{Path: "/etc/netns/web/resolv.conf", Content: "# it's empty\n"},
			netns.File{Path: "/etc/netns/db/hosts", Content: ""},
		}},
		{"files beside others", "mkdir -p /etc/netns/db; touch /etc/netns/db/hosts", []fact.Fact{
			netns.File{Path: "/etc/netns/web/hosts", Content: "-n %s"},
		}},
	} {
		c := c
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			hosttest.Run(t, func(t *testing.T) {
				hosttest.Sh(t, c.setup)
				hosttest.TwoWorlds(t, c.facts...)
			})
		})
	}
}

func TestOccupied(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		hosttest.Sh(t, "ip netns add web; touch /run/netns/plain; mkdir -p /etc/netns/web; echo mine > /etc/netns/web/hosts")
		before := hosttest.Snapshot(t)
		for _, f := range []fact.Fact{
			netns.Named{Path: "/run/netns/web"},
			netns.Named{Path: "/run/netns/plain"},
			netns.Bind{Path: "/run/netns/web", Source: "/proc/1/ns/net"},
			netns.File{Path: "/etc/netns/web/hosts", Content: "ours"},
		} {
			if err := f.Make(context.Background()); !errors.Is(err, fs.ErrExist) {
				t.Errorf("%s: make over another: %v", f.Key(), err)
			}
		}
		if after := hosttest.Snapshot(t); after != before {
			t.Error("a make that failed left something")
		}
	})
}

func TestProbe(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		hosttest.Sh(t, `ip netns add web; ip netns add db; touch /run/netns/plain
			mkdir -p /etc/netns/web; printf %s other > /etc/netns/web/hosts
			printf %s ours > /etc/netns/web/secret; chmod 600 /etc/netns/web/secret
			ln -s secret /etc/netns/web/link`)
		for _, c := range []struct {
			fact fact.Fact
			want fact.Truth
		}{
			{netns.Named{Path: "/run/netns/web"}, fact.True()},
			{netns.Named{Path: "/run/netns/none"}, fact.False()},
			{netns.Named{Path: "/run/netns/plain"}, fact.Other("/run/netns/plain is not a network namespace")},
			{netns.Named{Path: "/proc/self/ns/mnt"}, fact.Other("/proc/self/ns/mnt is not a network namespace")},
			{netns.Bind{Path: "/run/netns/web", Source: "/run/netns/db"}, fact.Other("/run/netns/web is another namespace than /run/netns/db")},
			{netns.Bind{Path: "/run/netns/web", Source: "/proc/999999/ns/net"}, fact.True()},
			{netns.File{Path: "/etc/netns/web/hosts", Content: "ours"}, fact.Mendable("/etc/netns/web/hosts has other content")},
			{netns.File{Path: "/etc/netns/web/secret", Content: "ours"}, fact.Mendable("mode of /etc/netns/web/secret is 600, not 644")},
			{netns.File{Path: "/etc/netns/web/link", Content: "ours"}, fact.Other("/etc/netns/web/link is a link to another place")},
			{netns.Dir{Path: "/etc"}, fact.Other("/etc is a mount that is not shared")},
			{netns.Dir{Path: "/etc/netns"}, fact.Other("/etc/netns is a plain folder")},
		} {
			if got, err := c.fact.Probe(context.Background()); err != nil || got != c.want {
				t.Errorf("%s: %v %v, want %v", c.fact.Key(), got, err, c.want)
			}
		}
	})
}

func TestFileMends(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		hosts := netns.File{Path: "/etc/netns/web/hosts", Content: "it's\nours\n"}
		hosttest.Sh(t, "mkdir -p /etc/netns/web; touch /etc/netns/web/hosts")
		hosttest.TwoMends(t, hosts, "echo more >> /etc/netns/web/hosts; chmod 600 /etc/netns/web/hosts")
		hosttest.TwoMends(t, hosts, "> /etc/netns/web/hosts")
	})
}

func TestDirInUseIsLeft(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		ctx, dir := context.Background(), netns.Dir{Path: "/run/netns"}
		if err := dir.Make(ctx); err != nil {
			t.Fatal(err)
		}
		hosttest.Sh(t, "ip netns add other")
		before := hosttest.Snapshot(t)
		if err := dir.Break(ctx); err != nil {
			t.Fatal(err)
		}
		if hosttest.Snapshot(t) != before {
			t.Error("the folder of another's namespace was touched")
		}
	})
}

// A pin that was cut short leaves a plain file; breaking the fact removes it.
func TestBreakHalfMade(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		hosttest.Sh(t, "mkdir /run/netns; touch /run/netns/web")
		if err := (netns.Named{Path: "/run/netns/web"}).Break(context.Background()); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat("/run/netns/web"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the file is still there: %v", err)
		}
	})
}

func TestBindNeedsANamespace(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		hosttest.Sh(t, "mkdir /run/netns")
		err := netns.Bind{Path: "/run/netns/web", Source: "/etc/passwd"}.Make(context.Background())
		if !errors.Is(err, netns.ErrNotNamespace) {
			t.Errorf("bind of a plain file: %v", err)
		}
	})
}

// A process number is used again: the fact is about the namespace it was.
func TestBindKnowsItsNamespace(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		ctx := context.Background()
		hosttest.Sh(t, "ip netns add a; ip netns add b")
		id, err := netns.Inode("/run/netns/a")
		if err != nil {
			t.Fatal(err)
		}
		bind := netns.Bind{Path: "/run/netns/web", Source: "/run/netns/a", ID: id}
		if err := bind.Make(ctx); err != nil {
			t.Fatal(err)
		}
		bind.Source = "/run/netns/b" // what is there by now
		if truth, err := bind.Probe(ctx); err != nil || truth.State != fact.Holds {
			t.Errorf("pinned, with another namespace at its source: %v %v", truth, err)
		}
		if err := bind.Break(ctx); err != nil {
			t.Fatal(err)
		}
		if err := bind.Make(ctx); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("another namespace was pinned: %v", err)
		}
	})
}
