package engine

import (
	"context"
	"strings"

	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/bridge"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/route"
	"github.com/cnetlab/cnet/pkg/veth"
)

// Finding is a fact and what the kernel says of it.
type Finding struct {
	Owner string
	Fact  fact.Fact
	Truth fact.Truth
	Err   error // the kernel could not be asked
	// Because is the fact that this one goes with and that does not hold
	// either; nil where the fault is the fact's own.
	Because fact.Fact
	// Next is what to type where no repair of cnet's can help.
	Next string
	// Stray marks what stands in the kernel with cnet's mark though nobody
	// wants it.
	Stray bool
}

// OK reports whether there is nothing to be mended.
func (f Finding) OK() bool { return f.Err == nil && f.Truth.State == fact.Holds && !f.Stray }

// Check looks at every fact that the topology wants, in order, and then for
// what carries cnet's mark and nobody wants.
func (e *Engine) Check(ctx context.Context) ([]Finding, error) {
	if err := permitted("check", "looking into the containers"); err != nil {
		return nil, err
	}
	e.noteUnfinished()
	found, err := e.probeNow(ctx)
	if err != nil || holdAll(found) {
		return found, err
	}
	// A change under way looks like damage. Under the lock there is none.
	unlock, err := e.take(ctx, "cnet check")
	if err != nil {
		return nil, err
	}
	defer unlock()
	return e.probeNow(ctx)
}

func (e *Engine) probeNow(ctx context.Context) ([]Finding, error) {
	s, err := e.look()
	if err != nil {
		return nil, err
	}
	ctx, done := e.session(ctx)
	defer done()
	wanted := topology.Compile(s.topo)
	found := probeAll(ctx, wanted)
	blame(found)
	if err := obstruct(ctx, s.topo.Networks, found); err != nil {
		return nil, explainFailure("check", err)
	}
	strays, err := e.strays(ctx, s.made, wanted)
	if err != nil {
		return nil, explainFailure("check", err)
	}
	for _, f := range append(stillThere(ctx, unwanted(s.made, wanted)), strays...) {
		found = append(found, Finding{Owner: s.owner[f.Key()], Fact: f, Truth: fact.True(), Stray: true})
	}
	return found, ctx.Err()
}

func holdAll(found []Finding) bool {
	for _, f := range found {
		if !f.OK() {
			return false
		}
	}
	return true
}

func probeAll(ctx context.Context, c topology.Compiled) []Finding {
	list := make([]Finding, 0, len(c.Facts))
	for _, f := range c.Facts {
		t, err := f.Probe(ctx)
		list = append(list, Finding{Owner: c.Owner[f.Key()], Fact: f, Truth: t, Err: err})
	}
	return list
}

// blame finds for each fact that does not hold the one that it cannot hold
// without: a fact that is absent, or has to be made anew, and that it goes with.
func blame(found []Finding) {
	blameDown(found)
	lost := make(map[fact.Key]*Finding)
	for i := range found {
		f := &found[i]
		if f.OK() || f.Err != nil {
			continue
		}
		for _, k := range fact.StandsOn(f.Fact) {
			if root, ok := lost[k]; ok && f.Because == nil {
				if f.Because = root.Because; f.Because == nil {
					f.Because = root.Fact
				}
			}
		}
		if !f.Truth.InPlace {
			lost[f.Fact.Key()] = f
		}
	}
}

// blameDown finds the addresses and routes that ended when a link went down.
func blameDown(found []Finding) {
	type link struct{ netns, name string }
	down := make(map[link]fact.Fact)
	for _, f := range found {
		if u, ok := f.Fact.(route.Up); ok && f.Truth.State == fact.Differs {
			down[link{u.Netns, u.Link}] = u
		}
	}
	for i := range found {
		f := &found[i]
		if f.Err != nil || f.Truth.State != fact.Absent {
			continue
		}
		switch on := f.Fact.(type) {
		case route.Address:
			f.Because = down[link{on.Netns, on.Link}]
		case route.Route:
			f.Because = down[link{on.Netns, on.Link}]
		}
	}
}

// Layer is that of the fact that was looked at.
func (f Finding) Layer() string { return Layer(f.Fact) }

// Layer is what of the host a fact is about, in the words of those who look for
// a fault from the bottom up.
func Layer(f fact.Fact) string {
	kind := f.Key().Kind
	if kind == "netns.file" {
		return "name file"
	}
	chapter, _, _ := strings.Cut(kind, ".")
	switch chapter {
	case "netns":
		return "namespace"
	case "veth":
		return "cable"
	case "bridge":
		return "switch"
	case "route":
		return "address and route"
	case "sysctl":
		return "setting"
	case "process":
		return chapter
	}
	return "firewall"
}

// Notice is what somebody would notice of it; empty for a link that is there but
// is not as it was made, of which the difference tells all.
func (f Finding) Notice() string {
	if f.Stray {
		return "It carries cnet's mark, and nothing that cnet knows of wants it."
	}
	if f.Next != "" {
		return "A packet has to pass the chains of everybody: no rule of cnet's can override that."
	}
	switch f.Fact.(type) {
	case bridge.Bridge, veth.Pair:
		if f.Truth.InPlace {
			return ""
		}
	}
	return f.Fact.Why()
}
