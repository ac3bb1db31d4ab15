package nat_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
)

func TestTwoWorlds(t *testing.T) {
	each(t, func(t *testing.T) { hosttest.TwoWorlds(t, everything()...) })
}

// TestBatch makes everything in one batch: the rules are the same as one by one.
func TestBatch(t *testing.T) {
	each(t, func(t *testing.T) {
		ctx, facts := context.Background(), everything()
		before := hosttest.Snapshot(t)
		for _, f := range facts {
			must(t, f.Make(ctx))
		}
		single := hosttest.Snapshot(t)
		must(t, ip4.BreakAll(ctx, reversed(facts)))
		equal(t, before, hosttest.Snapshot(t))
		must(t, ip4.MakeAll(ctx, facts))
		equal(t, single, hosttest.Snapshot(t))
		for i := len(facts) - 1; i >= 0; i-- {
			must(t, facts[i].Break(ctx))
		}
		must(t, ip4.BreakAll(ctx, reversed(facts)))
		equal(t, before, hosttest.Snapshot(t))
	})
}

func TestProbe(t *testing.T) {
	each(t, func(t *testing.T) {
		ctx := context.Background()
		must(t, ip4.MakeAll(ctx, append(hooks(ip4), network(ip4, "lab", "10.77.0.0/24", "cnet-lab")...)))
		tests := []struct {
			name  string
			fact  fact.Fact
			spoil string // a command that deletes a part
			want  fact.State
			diff  string
		}{
			{"whole", nat.Hook{On: ip4, Role: nat.RolePublish}, "true", fact.Holds, ""},
			{"one of two jumps", nat.Hook{On: ip4, Role: nat.RolePublish},
				"iptables -t nat -D OUTPUT -m addrtype --dst-type LOCAL -m comment --comment cnet -j CNET-PUBLISH",
				fact.Differs, "missing: iptables -t nat -I OUTPUT 1 -m addrtype --dst-type LOCAL -m comment --comment cnet -j CNET-PUBLISH"},
			{"one of three rules", nat.Forward{On: ip4, Network: "lab", Iface: "cnet-lab"}, "iptables -F CNET-GUARD",
				fact.Differs, "missing: iptables -A CNET-GUARD ! -i cnet-lab -o cnet-lab -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -m comment --comment 'cnet lab' -j DROP"},
			{"the chain", nat.Hook{On: ip4, Role: nat.RoleLoopback},
				"iptables -t raw -F PREROUTING; iptables -t raw -F CNET-RAW; iptables -t raw -X CNET-RAW", fact.Absent, ""},
			{"other words for the same rule", nat.Rule{On: ip4, Table: "nat", Chain: "CNET-POSTROUTING",
				Args: []string{"--source", "10.77.0.0/255.255.255.0", "!", "--out-interface", "cnet+", "-m", "comment", "--comment", "cnet lab", "-j", "MASQUERADE"}},
				"true", fact.Holds, ""},
		}
		for _, tt := range tests {
			hosttest.Sh(t, tt.spoil)
			got, err := tt.fact.Probe(ctx)
			must(t, err)
			if got != (fact.Truth{State: tt.want, Diff: tt.diff, InPlace: tt.want == fact.Differs}) {
				t.Errorf("%s: got %v, want %s %q", tt.name, got, tt.want, tt.diff)
			}
		}
	})
}

// TestExists has a chain of the last table stand in the way: what was there stays
// as it was, and nothing of the rest is left, nor of the other family.
func TestExists(t *testing.T) {
	each(t, func(t *testing.T) {
		ctx, done := nat.Keep(context.Background())
		defer done()
		hosttest.Sh(t, "iptables -t raw -N CNET-RAW; iptables -t raw -A CNET-RAW -s 192.0.2.1 -j DROP")
		before := hosttest.Snapshot(t)
		err := ip4.MakeAll(ctx, hooks(ip4))
		if !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "CNET-RAW") {
			t.Errorf("got %v, want an error of CNET-RAW that wraps fs.ErrExist", err)
		}
		equal(t, before, hosttest.Snapshot(t))
		hosttest.Sh(t, "ip6tables -t nat -N CNET-PUBLISH")
		between := hosttest.Snapshot(t)
		if err := ip6.MakeAll(ctx, append(hooks(ip4)[:3], hooks(ip6)...)); !errors.Is(err, fs.ErrExist) {
			t.Errorf("got %v, want an error that wraps fs.ErrExist", err)
		}
		equal(t, between, hosttest.Snapshot(t))
		hosttest.Sh(t, "ip6tables -t nat -X CNET-PUBLISH")
		err = port(ip4, "tcp", "10.77.0.2", 80, 80, 80).Make(ctx)
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "CNET-PUBLISH") {
			t.Errorf("got %v, want an error of CNET-PUBLISH that wraps fs.ErrNotExist", err)
		}
		equal(t, before, hosttest.Snapshot(t))
	})
}

func TestOwned(t *testing.T) {
	each(t, func(t *testing.T) {
		ctx := context.Background()
		hosttest.Sh(t, "iptables -N OTHER; iptables -A FORWARD -j OTHER; iptables -A OTHER -i eth9 -j DROP")
		before := hosttest.Snapshot(t)
		if facts, err := nat.Owned(ctx); err != nil || len(facts) > 0 {
			t.Errorf("got %v %v, want nothing", facts, err)
		}
		must(t, ip4.MakeAll(ctx, append(append(hooks(ip4), hooks(ip6)...), network(ip6, "lab", "fd77::/64", "cnet-lab")...)))
		hosttest.Sh(t, "iptables -A OTHER -s 192.0.2.7 -m comment --comment 'by hand' -j CNET-ALLOW")
		facts, err := nat.Owned(ctx)
		must(t, err)
		must(t, ip4.BreakAll(ctx, reversed(facts)))
		equal(t, before, hosttest.Snapshot(t))
	})
}

// TestOneExec counts the programs that are run for 200 ports.
func TestOneExec(t *testing.T) {
	each(t, func(t *testing.T) {
		ctx, log := context.Background(), filepath.Join(t.TempDir(), "log")
		must(t, ip4.MakeAll(ctx, hooks(ip4)))
		var facts []fact.Fact
		for i := uint16(0); i < 200; i++ {
			facts = append(facts, port(ip4, "udp", "10.77.0.2", 8000+i, 8000+i, 80))
		}
		count(t, log)
		runs := func(what string, want string, fn func()) {
			t.Helper()
			fn()
			got, err := os.ReadFile(log)
			must(t, err)
			must(t, os.Truncate(log, 0))
			if string(got) != want {
				t.Errorf("%s: ran\n%s\nwant\n%s", what, got, want)
			}
		}
		runs("make", "iptables-restore\n", func() { must(t, ip4.MakeAll(ctx, facts)) })
		runs("probe", "iptables-save\n", func() {
			ctx, done := nat.Keep(ctx)
			defer done()
			for _, f := range facts {
				truth, err := f.Probe(ctx)
				must(t, err)
				if truth.State != fact.Holds {
					t.Errorf("%s: %s", f.Key(), truth.State)
				}
			}
		})
		runs("break", "iptables-restore\n", func() { must(t, ip4.BreakAll(ctx, reversed(facts))) })
	})
}

func TestErrors(t *testing.T) {
	if err := nat.Available("ipfw", false); !errors.Is(err, nat.ErrBackend) {
		t.Errorf("got %v, want ErrBackend", err)
	}
	ctx := context.Background()
	unknown := nat.Hook{On: nat.On{Backend: "ipfw"}, Role: nat.RoleForward}
	if err := unknown.Make(ctx); !errors.Is(err, nat.ErrBackend) {
		t.Errorf("make: got %v, want ErrBackend", err)
	}
	if _, err := unknown.Probe(ctx); !errors.Is(err, nat.ErrBackend) {
		t.Errorf("probe: got %v, want ErrBackend", err)
	}
	if err := unknown.Ready(); !errors.Is(err, nat.ErrBackend) {
		t.Errorf("ready: got %v, want ErrBackend", err)
	}
	if err := (nat.Hook{On: ip4, Role: "nonsense"}).Make(ctx); err == nil {
		t.Error("a hook of an unknown role was made")
	}
	torn := nat.Rule{On: ip4, Table: "nat", Chain: "OUTPUT", Args: []string{"-m", "comment", "--comment", "a\nCOMMIT", "-j", "ACCEPT"}}
	if err := torn.Make(ctx); err == nil {
		t.Error("a rule with a line break was made")
	}
}

// TestNotPermitted makes a rule without the right to change the network.
func TestNotPermitted(t *testing.T) {
	each(t, func(t *testing.T) {
		runtime.LockOSThread() // and never unlocked: the right is gone from this thread for good
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_NET_ADMIN, 0, 0, 0); err != nil {
			t.Fatal(err)
		}
		err := nat.Hook{On: ip4, Role: nat.RoleForward}.Make(context.Background())
		if !errors.Is(err, syscall.EPERM) {
			t.Errorf("got %v, want EPERM", err)
		}
	})
}
