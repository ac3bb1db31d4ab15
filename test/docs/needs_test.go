package docs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/engine"
	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/internal/probe"
	"github.com/cnetlab/cnet/internal/serve"
	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/cnetlab/cnet/pkg/sysctl"
)

// caller is someone who calls, and whether that must be answered.
type caller struct {
	who      string
	from, to string // a namespace, or "" for the host; and what is called
	open     bool
}

var callers = []caller{
	{"outside, by the host's address", "outside", "203.0.113.2:8080", true},
	{"the host, by its own address", "", "203.0.113.2:8080", true},
	{"the host, by 127.0.0.1", "", "127.0.0.1:8080", true},
	{"a sibling, by the host's address", "db", "203.0.113.2:8080", true},
	{"the container itself, by the host's address", "web", "203.0.113.2:8080", true},
	{"another network, by the host's address", "far", "203.0.113.2:8080", true},
	{"a sibling, directly", "db", "10.77.0.2:80", true},
	{"the host, directly", "", "10.77.0.2:80", true},
	{"a container, to the outside", "db", "203.0.113.1:80", true},

	{"another network, directly", "far", "10.77.0.2:80", false},
	{"a neighbour of the host, by a route of its own", "neighbour", "10.77.0.2:80", false},
	{"a container, to the host's own 127.0.0.1", "thief", "127.0.0.1:7000", false},
}

const callersHost = `
cnet network create lab
cnet network create other
cnet create web db thief --network lab
cnet create far --network other
cnet publish web 8080:80
ip -n neighbour route add 10.77.0.0/24 via 203.0.113.2
ip -n thief address flush dev lo
ip netns exec thief sysctl -qw net.ipv4.conf.all.route_localnet=1
ip -n thief route add 127.0.0.1 via 10.77.0.1
`

// TestNeeds finds out which fact serves which caller: each fact of network lab
// that is no link, address or route is broken in turn, and everybody calls. A
// caller needs the facts without which the outcome is another. Who must be
// answered calls under a FORWARD policy of DROP, the others under ACCEPT.
func TestNeeds(t *testing.T) {
	if os.Getenv(updating) == "" {
		t.Parallel()
	}
	hosttest.Run(t, func(t *testing.T) {
		const bridgeNF = "/proc/sys/net/bridge/bridge-nf-call-iptables"
		if _, err := os.Stat(bridgeNF); err != nil {
			t.Skip("the kernel module br_netfilter is not loaded, and the table shows what it changes")
		}
		host(t)
		hosttest.Sh(t, callersHost)
		answerAll(t)
		n := needs{expected: parts(read(t, networkPage)), found: make(map[string][2][]string)}
		for mode := range [2]int{} {
			hosttest.Sh(t, fmt.Sprintf("sysctl -qw net.bridge.bridge-nf-call-iptables=%d", mode))
			n.mode = mode
			n.tryAll(t)
		}
		for _, open := range []bool{true, false} {
			settlePart(t, networkPage, partOf(open), n.table(open))
		}
	})
}

func partOf(open bool) string {
	if open {
		return "who needs what"
	}
	return "what closes what"
}

// answerAll starts the servers that are called.
func answerAll(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() { stop(); running.Wait() })
	for path, addr := range map[string]string{"/run/netns/web": ":80", "": "127.0.0.1:7000"} {
		s := &serve.Server{Addr: addr}
		if err := netns.Do(path, s.Listen); err != nil {
			t.Fatal(err)
		}
		running.Add(1)
		go func() { defer running.Done(); _ = s.Run(ctx) }()
	}
}

// needs is what was found out: for each caller the facts needed, with
// bridge-nf-call-iptables at 0 and at 1.
type needs struct {
	mode     int
	expected map[string]string
	found    map[string][2][]string
}

func (n *needs) tryAll(t *testing.T) {
	n.round(t, "")
	for _, f := range ruleFacts(t) {
		if s, ok := f.(sysctl.Setting); ok {
			s.Found = "0"
			f = s
		}
		if err := f.Break(context.Background()); err != nil {
			t.Fatal(err)
		}
		n.round(t, shortName(f))
		hosttest.Sh(t, "cnet repair")
	}
}

// ruleFacts are the facts of network lab and of the host whose work is in
// question. The chains are not: they do nothing but hold the rules.
func ruleFacts(t *testing.T) (list []fact.Fact) {
	t.Helper()
	topo, err := engine.New().Topology()
	if err != nil {
		t.Fatal(err)
	}
	c := topology.Compile(topo)
	for _, f := range c.Facts {
		kind, owner := f.Key().Kind, c.Owner[f.Key()]
		switch {
		case owner == "network other" || owner == "container far":
		case kind == "nat.hook":
		case strings.HasPrefix(kind, "nat."), kind == "sysctl.setting", kind == "bridge.hairpin":
			list = append(list, f)
		}
	}
	return list
}

// shortName is the kind of a fact or, for a setting, its name.
func shortName(f fact.Fact) string {
	k := f.Key()
	if k.Kind == "sysctl.setting" {
		return strings.TrimPrefix(filepath.Ext(k.Name), ".")
	}
	return k.Kind
}

// round lets everybody call while the fact named broken does not hold.
func (n *needs) round(t *testing.T, broken string) {
	t.Helper()
	for _, open := range []bool{true, false} {
		hosttest.Sh(t, "iptables -P FORWARD "+map[bool]string{true: "DROP", false: "ACCEPT"}[open])
		var all sync.WaitGroup
		answered := make([]bool, len(callers))
		for i, c := range callers {
			i, c := i, c
			if c.open != open {
				continue
			}
			all.Add(1)
			go func() {
				defer all.Done()
				answered[i] = c.call(t, n.patience(c, broken))
			}()
		}
		all.Wait()
		for i, c := range callers {
			switch {
			case c.open != open || answered[i] == open:
			case broken == "":
				t.Errorf("%s, bridge-nf-call-iptables %d: answered is %v though nothing is broken", c.who, n.mode, answered[i])
			default:
				f := n.found[c.who]
				f[n.mode] = append(f[n.mode], broken)
				n.found[c.who] = f
			}
		}
	}
}

// patience is how long to wait for an answer: long if the page says that there
// will be one.
func (n *needs) patience(c caller, broken string) time.Duration {
	needed := false
	for _, l := range strings.Split(n.expected[partOf(c.open)], "\n") {
		if strings.HasPrefix(l, "| "+c.who+" |") {
			cells := strings.Split(l, "|")
			needed = broken != "" && len(cells) > 4 && strings.Contains(cells[2]+cells[3+n.mode], "`"+broken+"`")
		}
	}
	switch {
	case os.Getenv(updating) != "":
		return 1500 * time.Millisecond
	case c.open != needed:
		return 10 * time.Second
	}
	return 500 * time.Millisecond
}

func (c caller) call(t *testing.T, patience time.Duration) (answered bool) {
	target, err := probe.Parse("http://" + c.to)
	if err != nil {
		t.Error(err)
		return false
	}
	path := ""
	if c.from != "" {
		path = "/run/netns/" + c.from
	}
	// One try can fail for reasons of its own: the kernel remembers for minutes
	// what it did with the packets of a client's port. So there are several, each
	// from another port, and yet not so many that all ports come round again and
	// meet a connection that was translated before the fact was broken.
	const try, pause = 2 * time.Second, 20 * time.Millisecond
	for end := time.Now().Add(patience); !answered && time.Now().Before(end); time.Sleep(pause) {
		if err := netns.Do(path, func() error {
			answered = probe.Run(context.Background(), target, probe.Options{Timeout: min(try, patience)}).OK
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	return answered
}

// table is the callers who must be answered, or must not, and what they need.
func (n *needs) table(open bool) string {
	var b strings.Builder
	b.WriteString("| who calls | in any case | and with bridge-nf 0 | and with bridge-nf 1 |\n|---|---|---|---|\n")
	for _, c := range callers {
		if c.open != open {
			continue
		}
		found := n.found[c.who]
		both, only0 := shared(found[0], found[1])
		_, only1 := shared(found[1], found[0])
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", c.who, listed(both), listed(only0), listed(only1))
	}
	return b.String()
}

// shared divides a into what b has too and the rest.
func shared(a, b []string) (both, rest []string) {
	in := make(map[string]bool)
	for _, s := range b {
		in[s] = true
	}
	for _, s := range a {
		if in[s] {
			both = append(both, s)
		} else {
			rest = append(rest, s)
		}
	}
	return both, rest
}

func listed(names []string) string {
	if len(names) == 0 {
		return "-"
	}
	return "`" + strings.Join(names, "` `") + "`"
}
