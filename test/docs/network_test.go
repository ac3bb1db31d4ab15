package docs

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/cnetlab/cnet/internal/engine"
	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/google/go-cmp/cmp"
)

const networkPage = "docs/network.md"

// variant is a sort of network that the page shows.
type variant struct {
	name  string
	like  string // shown is what differs from this variant
	typed string // the commands that make it
	asks  string // a file that the kernel must have
}

var variants = []variant{
	{"bridge", "", `
		cnet network create lab
		cnet create web --network lab`, "/proc"},
	{"published", "bridge", `
		cnet network create lab
		cnet create web --network lab
		cnet publish web 8080:80`, "/proc"},
	{"ipv6", "published", `
		cnet network create lab --ipv6
		cnet create web --network lab
		cnet publish web 8080:80`, "/proc/sys/net/ipv6"},
	{"internal", "bridge", `
		cnet network create lab --internal
		cnet create web --network lab`, "/proc"},
	{"icc", "bridge", `
		cnet network create lab --icc=false
		cnet create web --network lab`, "/proc/sys/net/bridge"},
	{"ptp", "published", `
		cnet network create lab --driver ptp
		cnet create web --network lab
		cnet publish web 8080:80`, "/proc"},
	{"nftables", "published", `
		cnet network create lab --firewall nftables
		cnet create web --network lab
		cnet publish web 8080:80`, "/proc"},
}

// TestNetwork holds the page's account of what a network is made of: each
// network is made by its commands, and each line of the rule set that cnet then
// has is put down to the fact that made it. A line that no fact explains is an
// error, and so is a rule set that is not made of the facts alone.
func TestNetwork(t *testing.T) {
	if os.Getenv(updating) == "" {
		t.Parallel()
	}
	hosttest.Run(t, func(t *testing.T) {
		host(t)
		accounts := make(map[string]account)
		for _, v := range variants {
			if _, err := os.Stat(v.asks); err != nil {
				t.Logf("%s is not compared: this kernel has no %s", v.name, v.asks)
				continue
			}
			a := v.account(t)
			accounts[v.name] = a
			settlePart(t, networkPage, "facts of "+v.name, v.typedBlock()+a.differenceTo(accounts[v.like]).factList())
			settlePart(t, networkPage, "rules of "+v.name, a.differenceTo(accounts[v.like]).ruleList())
		}
	})
}

// account is what a network is made of, and what it looks like.
type account struct {
	facts []fact.Fact
	lines []line
	less  []fact.Fact // what the variant that it is like has, and this has not
}

// line is a line of a rule set, and the fact that made it.
type line struct {
	program, table, text string
	by                   int // the place of the fact
}

func (l line) String() string { return l.program + " " + l.table + " " + l.text }

// account makes the network, looks at it, takes it back, and makes it again
// fact by fact to see which line comes with which.
func (v variant) account(t *testing.T) account {
	t.Helper()
	hosttest.Sh(t, v.typed)
	topo, err := engine.New().Topology()
	if err != nil {
		t.Fatal(err)
	}
	want := dump(t)
	a := account{facts: topology.Compile(topo).Facts}
	hosttest.Sh(t, "cnet reset")

	ctx, done := netns.Keep(context.Background())
	defer done()
	madeBy := make(map[string]int)
	made := make([]fact.Fact, len(a.facts))
	for i, f := range a.facts {
		made[i] = makeOne(t, ctx, f)
		if strings.HasPrefix(f.Key().Kind, "nat.") {
			for _, l := range dump(t) {
				if _, known := madeBy[l.String()]; !known {
					madeBy[l.String()] = i
				}
			}
		}
	}
	got := dump(t)
	for i, l := range want {
		by, ok := madeBy[l.String()]
		if !ok {
			t.Errorf("%s: no fact explains %s", v.name, l)
		}
		want[i].by = by
		a.lines = append(a.lines, want[i])
	}
	if diff := cmp.Diff(texts(want), texts(got)); diff != "" {
		t.Errorf("%s: the commands (-) and the facts (+) make two rule sets:\n%s", v.name, diff)
	}
	for i := len(made) - 1; i >= 0; i-- {
		if err := made[i].Break(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if left := dump(t); len(left) > 0 {
		t.Errorf("%s: %d lines are left, the first is %s", v.name, len(left), left[0])
	}
	return a
}

func makeOne(t *testing.T, ctx context.Context, f fact.Fact) fact.Fact {
	t.Helper()
	if r, ok := f.(fact.Rememberer); ok {
		var err error
		if f, err = r.Remember(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Make(ctx); err != nil {
		t.Fatalf("%s: %v", f.Key(), err)
	}
	return f
}

var zeros = regexp.MustCompile(` \[\d+:\d+\]$`)

// dump is the rule set but for what is the kernel's own: built-in chains,
// counters, and the comments with the date.
func dump(t testing.TB) (lines []line) {
	t.Helper()
	for _, program := range []string{"iptables-save", "ip6tables-save"} {
		table := ""
		for _, text := range strings.Split(hosttest.Host(t, program), "\n") {
			switch {
			case strings.HasPrefix(text, "*"):
				table = text
			case strings.HasPrefix(text, "-"), strings.HasPrefix(text, ":CNET-"):
				lines = append(lines, line{program: program, table: table, text: zeros.ReplaceAllString(text, "")})
			}
		}
	}
	return append(lines, dumpNft(t)...)
}

// dumpNft is cnet's table of nftables, of which the kernel has no part of its own.
func dumpNft(t testing.TB) (lines []line) {
	t.Helper()
	table := hosttest.Host(t, "sh", "-c", "nft list table inet cnet 2>/dev/null || true")
	for _, text := range strings.Split(counters.ReplaceAllString(table, "counter"), "\n") {
		if text != "" {
			lines = append(lines, line{program: nftList, text: text})
		}
	}
	return lines
}

const nftList = "nft list table inet cnet"

var counters = regexp.MustCompile(`counter packets \d+ bytes \d+`)

func texts(lines []line) (all []string) {
	for _, l := range lines {
		all = append(all, l.String())
	}
	return all
}

// differenceTo leaves out the facts that b has too, and their lines.
func (a account) differenceTo(b account) account {
	old := make(map[fact.Key]fact.Fact)
	for _, f := range b.facts {
		old[f.Key()] = f
	}
	var d account
	place := make(map[int]int)
	for i, f := range a.facts {
		if o, ok := old[f.Key()]; !ok || !fact.Same(o, f) {
			place[i] = len(d.facts)
			d.facts = append(d.facts, f)
		}
		delete(old, f.Key())
	}
	for _, l := range a.lines {
		if at, ok := place[l.by]; ok {
			l.by = at
			d.lines = append(d.lines, l)
		}
	}
	for _, f := range b.facts {
		if _, left := old[f.Key()]; left {
			d.less = append(d.less, f)
		}
	}
	return d
}

func (v variant) typedBlock() string {
	var b strings.Builder
	for _, l := range strings.Split(strings.TrimSpace(v.typed), "\n") {
		b.WriteString(strings.TrimSpace(l) + "\n")
	}
	return fenced("sh", b.String()) + "\n"
}

// factList is every fact, why it is needed, and its commands; and what is not made.
func (a account) factList() string {
	var b strings.Builder
	for i, f := range a.facts {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString(comment(fmt.Sprintf("%d. ", i+1), f.Say()))
		b.WriteString(comment("", "Without it: "+f.Why()))
		for _, c := range f.Commands(fact.Make) {
			b.WriteString(c.String() + "\n")
		}
	}
	if len(a.less) > 0 {
		b.WriteString("\n" + comment("", "Not made here:"))
		for _, f := range a.less {
			b.WriteString(comment("- ", f.Say()))
		}
	}
	return fenced("sh", b.String())
}

// ruleList is the rule set, each line below the fact that made it.
func (a account) ruleList() string {
	var b strings.Builder
	var last line
	for _, l := range a.lines {
		if l.program != last.program {
			b.WriteString("\n# " + l.program + "\n")
			last.table = ""
		}
		if l.table != last.table {
			b.WriteString("\n" + l.table + "\n")
			last.by = -1
		}
		if l.by != last.by && l.program != nftList { // whose lines lie in each other
			b.WriteString(comment(fmt.Sprintf("%d. ", l.by+1), a.facts[l.by].Say()))
		}
		b.WriteString(l.text + "\n")
		last = l
	}
	return fenced("text", strings.TrimLeft(b.String(), "\n"))
}
