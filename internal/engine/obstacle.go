package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/cnetlab/cnet/internal/doctor"
	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
)

// obstruct has the rules of a network not hold where they do but to no effect,
// because a chain of somebody else's drops what they let pass.
func obstruct(ctx context.Context, networks []topology.Network, found []Finding) error {
	list, err := doctor.Obstacles(ctx, networks)
	for _, o := range list {
		for i, f := range found {
			rules, ok := f.Fact.(nat.Forward)
			if ok && f.OK() && rules.Network == o.Network && rules.IPv6 == o.IPv6 {
				found[i].Truth, found[i].Next = fact.Other("%s", o.Say), o.Next
			}
		}
	}
	return err
}

// obstructed is the failure of a repair that has mended all of cnet's own.
func obstructed(ctx context.Context, what string, c Change) error {
	list, err := doctor.Obstacles(ctx, c.After.Networks)
	if err != nil || len(list) == 0 {
		return err
	}
	return fail.New(fail.Unmet, what, "network %s: %s; no rule of cnet's can override that; %s",
		list[0].Network, list[0].Say, mended(len(c.Plan.Steps))).Try("%s", allNext(list))
}

// allNext are the commands for all obstacles, once each.
func allNext(list []doctor.Obstacle) string {
	var commands []string
	for _, o := range list {
		if !slices.Contains(commands, o.Next) {
			commands = append(commands, o.Next)
		}
	}
	return strings.Join(commands, "; ")
}

// passable refuses to move networks to a backend with which a chain that they now
// pass would drop what they send: open connections would end.
func passable(ctx context.Context, what string, c Change) error {
	if !moves(c) {
		return nil
	}
	before, _ := doctor.Obstacles(ctx, c.Before.Networks)
	after, err := doctor.Obstacles(ctx, c.After.Networks)
	if errors.Is(err, fs.ErrPermission) {
		return nil // who may not look may only plan
	}
	fresh := slices.DeleteFunc(after, func(o doctor.Obstacle) bool { return slices.Contains(before, o) })
	if len(fresh) == 0 {
		return err
	}
	return fail.New(fail.Unmet, what, "network %s would be cut off: with nftables, %s; with iptables cnet stands before it; nothing was changed",
		fresh[0].Network, fresh[0].Say).Try("%s", allNext(fresh))
}

// noteObstacles tells at once of the chains that are in the way of networks.
func (e *Engine) noteObstacles(ctx context.Context, networks []topology.Network) {
	list, _ := doctor.Obstacles(ctx, networks) // cnet check says what could not be seen
	said := make(map[string]bool)
	for _, o := range list {
		if !said[o.Say] {
			e.note(fmt.Sprintf("%s; no rule of cnet's can override that. To let them pass: %s", o.Say, o.Next))
		}
		said[o.Say] = true
	}
}

// newNetworks are those that a change makes.
func newNetworks(c Change) (list []topology.Network) {
	for _, n := range c.After.Networks {
		if _, err := c.Before.Network(n.Name); err != nil {
			list = append(list, n)
		}
	}
	return list
}
