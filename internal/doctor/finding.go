package doctor

import (
	"context"
	"sort"
)

// Severity says how bad a finding is.
type Severity string

const (
	Error   Severity = "error"   // networks cannot work as they should
	Warning Severity = "warning" // something will bite
	Note    Severity = "note"    // worth knowing
)

// Finding is one thing about this host that concerns container networking.
type Finding struct {
	Severity Severity `json:"severity"`
	About    string   `json:"about"`            // the theme, one of the words of docs/doctor.md
	Say      string   `json:"say"`              // one sentence or two
	Seen     string   `json:"seen"`             // a command that shows it
	Mend     string   `json:"mend,omitempty"`   // a command that mends it
	Advice   string   `json:"advice,omitempty"` // what to do, where no one command does it
}

// Report is all that was found, the worst first.
type Report struct {
	Findings []Finding `json:"findings"`
	Unseen   []string  `json:"unseen,omitempty"` // what could not be looked at, and why
}

// Worst is the severity of the worst finding; empty if there is none.
func (r Report) Worst() Severity {
	if len(r.Findings) == 0 {
		return ""
	}
	return r.Findings[0].Severity
}

// Examine reads the host and judges it. It changes nothing and takes no lock.
func Examine(ctx context.Context, own Own) Report {
	h := read(ctx, own)
	return Report{Findings: h.judge(), Unseen: h.unseen}
}

// judge runs all checks over what was read.
func (h host) judge() []Finding {
	list := []Finding{}
	for _, check := range []func(host) []Finding{
		ownFiles, flushed, leftovers, binaries, features, forwarding, chains, twins, neighbours,
		routes, mtu, conntrack, reversePath, bridgeFilter, userNamespaces,
	} {
		list = append(list, check(h)...)
	}
	rank := map[Severity]int{Error: 0, Warning: 1, Note: 2}
	sort.SliceStable(list, func(i, j int) bool { return rank[list[i].Severity] < rank[list[j].Severity] })
	return list
}

func one(f Finding) []Finding { return []Finding{f} }
