package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/bridge"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
	"github.com/cnetlab/cnet/pkg/veth"
)

// ownFiles: files that cannot be read, and a change that was cut off.
func ownFiles(h host) []Finding {
	var list []Finding
	if h.own.Err != nil {
		list = append(list, Finding{Severity: Error, About: "files", Seen: "cnet list", Say: "cnet's own files cannot be read: " + h.own.Err.Error() + ".",
			Advice: "Mend the file by hand, or move it away; then cnet repair."})
	}
	if h.own.Pending != "" {
		list = append(list, Finding{Severity: Warning, About: "journal", Seen: "ls /run/cnet", Mend: "cnet repair",
			Say: fmt.Sprintf("The change %q is not done: a cnet is at work now, or was cut off in the middle.", h.own.Pending)})
	}
	return list
}

// lost are the rules that were made and are gone.
func lost(ctx context.Context, made []fact.Fact) ([]fact.Fact, error) {
	var gone []fact.Fact
	for _, f := range made {
		if !strings.HasPrefix(f.Key().Kind, "nat.") {
			continue
		}
		truth, err := f.Probe(ctx)
		if err != nil {
			return nil, err
		}
		if truth.State != fact.Holds {
			gone = append(gone, f)
		}
	}
	return gone, nil
}

// flushed: somebody took cnet's rules away since they were made.
func flushed(h host) []Finding {
	if len(h.lost) == 0 {
		return nil
	}
	f := Finding{Severity: Error, About: "flush", Seen: "cnet check", Mend: "cnet repair",
		Say: fmt.Sprintf("Rules of cnet's are gone (%d): somebody flushed or changed them between %s, when cnet last changed something, and now.",
			len(h.lost), h.own.Changed.Format(time.DateTime))}
	for _, r := range h.restarts {
		if r.at.After(h.own.Changed) {
			f.Say += fmt.Sprintf(" %s has started since, at %s.", r.unit, r.at.Format(time.DateTime))
		}
	}
	return one(f)
}

// leftBehind is what carries cnet's mark though nobody wants it.
func leftBehind(ctx context.Context, own Own) ([]fact.Fact, error) {
	wanted := topology.Compile(own.Topology)
	keep := make(map[fact.Key]bool)
	for _, f := range append(wanted.Facts, own.Made...) {
		keep[f.Key()] = true
	}
	var left []fact.Fact
	for _, owned := range []func(context.Context) ([]fact.Fact, error){bridge.Owned, veth.Owned} {
		facts, err := owned(ctx)
		if err != nil {
			return nil, err
		}
		for _, f := range facts {
			if !keep[f.Key()] {
				left = append(left, f)
			}
		}
	}
	if len(own.Made)+len(own.Topology.Networks) > 0 {
		return left, nil
	}
	rules, err := nat.Owned(ctx)
	return append(left, rules...), err
}

// leftovers: of a cnet whose files were lost.
func leftovers(h host) []Finding {
	if len(h.left) == 0 || h.own.Err != nil {
		return nil
	}
	first := h.left[0]
	f := Finding{Severity: Warning, About: "leftover", Seen: first.Commands(fact.Show)[0].String(),
		Say: fmt.Sprintf("cnet's mark is on things that its files do not know (%d). The first: %s", len(h.left), first.Say())}
	if len(h.own.Topology.Networks)+len(h.own.Topology.Containers) == 0 {
		f.Mend = "cnet reset"
		return one(f)
	}
	var words []string
	for _, l := range h.left {
		for _, c := range l.Commands(fact.Break) {
			words = append(words, c.String())
		}
	}
	f.Mend = strings.Join(words, "; ")
	return one(f)
}
