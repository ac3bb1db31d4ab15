package engine

import (
	"errors"
	"fmt"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
)

// Firewall is the backend that was asked for; else that of the other networks,
// so that a host is split between two only if somebody asks for it; else the
// first that works here.
func (h *host) Firewall(others string) (string, error) {
	asked := h.firewall
	if asked == "" || asked == "auto" {
		asked = others
	}
	name, err := backend(asked)
	var f *fail.Error
	if errors.As(err, &f) && f.Kind == fail.HostLacks && asked == nat.Iptables {
		f.Next += ", or --firewall nftables"
		if asked == others {
			f.Next = "apt-get install iptables, or cnet repair --firewall nftables"
		}
	}
	if err != nil || name != nat.Iptables {
		return name, err
	}
	if twin, err := nat.Twin(h.ctx, false); err == nil && twin != "" {
		h.note(fmt.Sprintf("this host has rules of %s, too; packets pass both, and iptables shows only its own (%s-save shows the others)", twin, twin))
	}
	return name, nil
}

// backend is the backend of that name if it works here; for auto, the first that does.
func backend(name string) (string, error) {
	if err := topology.CheckFirewall(name); err != nil {
		return "", err
	}
	if name != "" && name != "auto" {
		if err := nat.Available(name, false); err != nil {
			return "", explainFailure("firewall "+name, err)
		}
		return name, nil
	}
	none := nat.Available(nat.Iptables, false)
	if none == nil {
		return nat.Iptables, nil
	}
	if err := nat.Available(nat.Nftables, false); err != nil {
		return "", fail.New(fail.HostLacks, "firewall", "neither backend works here: iptables (%v) nor nftables (%v)", none, err).
			Try("apt-get install iptables, or load the kernel module nf_tables")
	}
	return nat.Nftables, nil
}

// moved is a topology whose networks are all kept with one backend; with none
// named, as it is.
func moved(t topology.Topology, firewall string) (topology.Topology, error) {
	if firewall == "" {
		return t, nil
	}
	name, err := backend(firewall)
	if err != nil {
		return t, err
	}
	t = t.Clone()
	for i := range t.Networks {
		t.Networks[i].Firewall = name
	}
	return t, nil
}

// moves reports whether a network goes from one backend to the other.
func moves(c Change) bool {
	for _, n := range c.After.Networks {
		if was, err := c.Before.Network(n.Name); err == nil && was.Firewall != n.Firewall {
			return true
		}
	}
	return false
}

// handOver has what is broken of one backend, and is made with the other, go
// last: for a moment both hold, and never neither. A connection whose packets
// were not rewritten for a moment would be answered, and reset, by the host.
func handOver(p fact.Plan, wanted map[fact.Key]string) fact.Plan {
	late := make(map[fact.Key]bool)
	var first, last []fact.Step
	for _, s := range p.Steps {
		if s.Verb != fact.Break || !late[s.Fact.Key()] && !inherited(s.Fact, wanted) {
			first = append(first, s)
			continue
		}
		for _, k := range fact.StandsOn(s.Fact) {
			late[k] = true // what stands on it comes before it
		}
		s.Fact = nat.Inherited(s.Fact)
		last = append(last, s)
	}
	p.Steps = append(first, last...)
	return p
}

// inherited reports whether another fact that is wanted takes the place of f.
func inherited(f fact.Fact, wanted map[fact.Key]string) bool {
	for _, k := range nat.Heirs(f) {
		if wanted[k] != "" {
			return true
		}
	}
	return false
}

// replaced are the facts that were wanted before a move, and are not after it.
func replaced(c Change, wanted topology.Compiled) topology.Compiled {
	was := topology.Compiled{Owner: make(map[fact.Key]string)}
	if !moves(c) {
		return was
	}
	all := topology.Compile(c.Before)
	for _, f := range all.Facts {
		if k := f.Key(); wanted.Owner[k] == "" {
			was.Facts, was.Owner[k] = append(was.Facts, f), all.Owner[k]
		}
	}
	return was
}

// handed splits steps before the last of them that only break.
func handed(steps []fact.Step) (first, last []fact.Step) {
	n := len(steps)
	for n > 0 && steps[n-1].Verb == fact.Break {
		n--
	}
	return steps[:n], steps[n:]
}

// ruled reports whether all rules that a plan makes are among the steps done.
func ruled(p fact.Plan, done []fact.Step) bool {
	made := make(map[fact.Key]bool, len(done))
	for _, s := range done {
		made[s.Fact.Key()] = s.Verb == fact.Make
	}
	for _, s := range p.Steps {
		if s.Verb == fact.Make && nat.Heirs(s.Fact) != nil && !made[s.Fact.Key()] {
			return false
		}
	}
	return true
}
