package e2e

import (
	"os/exec"
	"regexp"
	"slices"
	"testing"
)

// TestNeighboursLater has the neighbours start for the first time beside a
// network of cnet's. What cnet then lost is mended, and after a reset the host is
// as that of a twin on which the neighbour started alone. CNET_LONG=1 tries all.
func TestNeighboursLater(t *testing.T) {
	t.Parallel()
	short := []string{"foreign-rules", "docker-28", "libvirt", "podman", "nftables-conf"} // of a kind each
	for _, b := range besides {
		b := b
		if b.refused == "" && (long() || slices.Contains(short, b.name)) {
			t.Run(b.name, func(t *testing.T) { t.Parallel(); b.startLater(t) })
		}
	}
}

func (b beside) startLater(t *testing.T) {
	for _, p := range b.needs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skip("not installed: ", p)
		}
	}
	alone, both := newWorld(t, "alone"), newWorld(t, "with cnet")
	for _, w := range []*world{alone, both} {
		w.sh(lanScript)
		w.sh(primeScript)
	}
	both.cnet("", "network", "create", "open", "--subnet", "10.77.1.0/24")
	both.cnet("", "create", "web", "--network", "open", "--publish", "8080:80")
	for _, w := range []*world{alone, both} {
		a := w.ask(order{Argv: []string{"sh", "-e", "testdata/neighbours/" + b.name + ".sh"}})
		if a.Code == lacks {
			t.Skip(a.Out)
		} else if a.Code != 0 {
			t.Fatalf("%s.sh: %s%s", b.name, a.Out, a.Err)
		}
	}
	typed := func(word, lost string) {
		t.Helper()
		a := both.ask(order{Argv: []string{"cnet", word}})
		b.judge(t, word, lost, a.Out, a.Err, a.Code)
	}
	lost := b.lost
	if b.later != "" {
		lost = b.later
	}
	typed("check", lost)
	typed("repair", "")
	typed("check", "")
	both.cnet("", "reset")
	same(t, "the neighbour alone, and after cnet", sure(alone.snapshot()), sure(both.snapshot()))
}

// sure is a bare snapshot without the setting that ends as before cnet whoever
// else set it: the kernel clears it with forwarding, so a neighbour's 0 is not seen.
func sure(snapshot string) string { return followsForwarding.ReplaceAllString(bare(snapshot), "") }

var followsForwarding = regexp.MustCompile(`(?m)^host sysctl net/ipv4/conf/all/accept_redirects:.*\n`)
