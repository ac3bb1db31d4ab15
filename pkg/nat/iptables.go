package nat

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/coreos/go-iptables/iptables"

	"github.com/cnetlab/cnet/pkg/fact"
)

// iptablesBackend keeps rules with the iptables commands: changes go through
// iptables-restore(8) in one piece, looks through iptables-save(8).
type iptablesBackend struct{}

func (iptablesBackend) available(ipv6 bool) error {
	for _, suffix := range []string{"", "-restore", "-save"} {
		if _, err := find(program(ipv6) + suffix); err != nil {
			return err
		}
	}
	return nil
}

func (iptablesBackend) makeAll(ctx context.Context, values []value) error {
	defer stale(ctx)
	all, err := families(values)
	if err != nil {
		return err
	}
	var made [][]Rule
	for _, rules := range all {
		ipv6, list := rules[0].IPv6, makeLines(rules)
		err := restore(ctx, ipv6, list)
		if err == nil {
			made = append(made, rules)
			continue
		}
		// Each table is committed by itself. What was is taken back.
		stale(ctx)
		if done := list.tables()[:committed(list, err)]; len(done) > 0 {
			made = append(made, inTables(rules, done))
		}
		err = explain(ctx, ipv6, list, err)
		for _, rules := range made {
			err = errors.Join(err, breakWhatIs(context.WithoutCancel(ctx), rules))
		}
		return err
	}
	return nil
}

func (iptablesBackend) breakAll(ctx context.Context, values []value) error {
	defer stale(ctx)
	all, err := families(values)
	if err != nil {
		return err
	}
	for _, rules := range all {
		ipv6, list := rules[0].IPv6, breakLines(rules)
		err := restore(ctx, ipv6, list)
		if _, refused := failedLine(err); refused {
			stale(ctx)
			err = breakWhatIs(ctx, rules)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// exchange is one transaction for each table. If one fails, nothing is made.
func (iptablesBackend) exchange(ctx context.Context, gone, come []value) error {
	defer stale(ctx)
	fresh, err := families(come)
	if err != nil {
		return err
	}
	for _, ipv6 := range []bool{false, true} {
		old, anew := staying(rulesOf(gone, ipv6), rulesOf(come, ipv6))
		err := restore(ctx, ipv6, append(breakLines(old), makeLines(anew)...))
		if err == nil {
			continue
		}
		stale(ctx)
		for _, made := range fresh {
			err = errors.Join(err, breakWhatIs(context.WithoutCancel(ctx), made))
		}
		return err
	}
	return nil
}

func (iptablesBackend) breakBut(ctx context.Context, gone, stay []value) error {
	defer stale(ctx)
	stale(ctx)
	for _, ipv6 := range []bool{false, true} {
		wanted, _ := idsOf(rulesOf(stay, ipv6))
		old := slices.DeleteFunc(rulesOf(gone, ipv6), func(r Rule) bool { return wanted[r.id()] })
		if len(old) == 0 {
			continue
		}
		if err := breakWhatIs(ctx, old); err != nil {
			return err
		}
	}
	return nil
}

// staying leaves out what goes and comes. A chain stays, and its rules with their
// counts, if all are the same; else they are exchanged. iptables-nft would not
// delete a chain and make one of its name in one transaction.
func staying(gone, come []Rule) (old, anew []Rule) {
	was, before := idsOf(gone)
	is, after := idsOf(come)
	stays := func(r Rule) bool {
		chain := r.On.chain(r.Table, r.Chain).id()
		if !r.isChain() && was[chain] && is[chain] {
			return before[chain] == after[chain] // it may stand elsewhere among its neighbours
		}
		return was[r.id()] && is[r.id()]
	}
	return slices.DeleteFunc(slices.Clone(gone), stays), slices.DeleteFunc(slices.Clone(come), stays)
}

// idsOf are the rules, and those of each chain in their order.
func idsOf(rules []Rule) (ids map[string]bool, in map[string]string) {
	ids, in = make(map[string]bool, len(rules)), make(map[string]string)
	for _, r := range rules {
		ids[r.id()] = true
		if !r.isChain() {
			in[r.On.chain(r.Table, r.Chain).id()] += r.id() + "\n"
		}
	}
	return ids, in
}

// breakWhatIs deletes those of the rules that stand: one that is gone already
// would make the whole transaction fail.
func breakWhatIs(ctx context.Context, rules []Rule) error {
	snap, err := look(ctx, rules[0].IPv6)
	if err != nil {
		return err
	}
	var there []Rule
	for _, r := range rules {
		ok, err := snap.has(r)
		if err != nil {
			return err
		}
		if ok {
			there = append(there, r)
		}
	}
	list := breakLines(append(there, snap.leading(there)...))
	if err := restore(ctx, rules[0].IPv6, list); err != nil {
		return explain(ctx, rules[0].IPv6, list, err)
	}
	return nil
}

func (iptablesBackend) commands(verb fact.Verb, v value) []fact.Command {
	var list lines
	switch rules := v.iptables(); verb {
	case fact.Make:
		list = makeLines(rules)
	case fact.Break:
		list = breakLines(rules)
	case fact.Show:
		list = showLines(rules)
	case fact.Mend:
		return mendCommands(rules)
	}
	commands := make([]fact.Command, len(list))
	for i, l := range list {
		commands[i] = l.command(v.on().IPv6)
	}
	return commands
}

// families are the rules of values, apart for each family, IPv4 first.
func families(values []value) ([][]Rule, error) {
	for _, v := range values {
		if len(v.iptables()) == 0 {
			return nil, fmt.Errorf("%s: nothing is known by that name", v.Key())
		}
	}
	list := [][]Rule{rulesOf(values, false), rulesOf(values, true)}
	return slices.DeleteFunc(list, func(r []Rule) bool { return len(r) == 0 }), nil
}

// rulesOf are the rules of those of the values that are of the family.
func rulesOf(values []value, ipv6 bool) (rules []Rule) {
	for _, v := range values {
		if v.on().IPv6 == ipv6 {
			rules = append(rules, v.iptables()...)
		}
	}
	return rules
}

func inTables(rules []Rule, tables []string) []Rule {
	var in []Rule
	for _, r := range rules {
		if slices.Contains(tables, r.Table) {
			in = append(in, r)
		}
	}
	return in
}

// check asks iptables itself whether a rule stands: the words of a rule may be
// written in more than one way.
func check(r Rule) (bool, error) {
	path, err := find(program(r.IPv6))
	if err != nil {
		return false, err
	}
	family := iptables.ProtocolIPv4
	if r.IPv6 {
		family = iptables.ProtocolIPv6
	}
	ipt, err := iptables.New(iptables.Path(path), iptables.IPFamily(family), iptables.Timeout(lockSeconds(context.Background())))
	if err != nil {
		return false, err
	}
	return ipt.Exists(r.Table, r.Chain, r.Args...)
}
