package cli

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/cnetlab/cnet/internal/engine"
	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/fact"
)

// delta is the difference between two topologies, object by object.
type delta struct {
	newNetworks, changedNetworks     []topology.Network
	newContainers, changedContainers []topology.Container
	newServices, changedServices     []topology.Service
	goneNetworks, goneContainers     []string
	goneServices                     []string
}

func difference(ch engine.Change) delta {
	var d delta
	for _, n := range ch.After.Networks {
		old, err := ch.Before.Network(n.Name)
		switch {
		case err != nil:
			d.newNetworks = append(d.newNetworks, n)
		case !sameNetwork(*old, n):
			d.changedNetworks = append(d.changedNetworks, n)
		}
	}
	for _, c := range ch.After.Containers {
		old, err := ch.Before.Container(c.Name)
		switch {
		case err != nil:
			d.newContainers = append(d.newContainers, c)
		case !reflect.DeepEqual(*old, c):
			d.changedContainers = append(d.changedContainers, c)
		}
	}
	d.services(ch)
	for _, c := range ch.Before.Containers {
		if _, err := ch.After.Container(c.Name); err != nil {
			d.goneContainers = append(d.goneContainers, c.Name)
		}
	}
	for _, n := range ch.Before.Networks {
		if _, err := ch.After.Network(n.Name); err != nil {
			d.goneNetworks = append(d.goneNetworks, n.Name)
		}
	}
	return d
}

// services finds the services that differ, also in who answers for them.
func (d *delta) services(ch engine.Change) {
	for _, s := range ch.After.Services {
		old, err := ch.Before.Service(s.Name)
		switch {
		case err != nil:
			d.newServices = append(d.newServices, s)
		case !reflect.DeepEqual(*old, s) || !slices.Equal(ch.Before.Members(*old), ch.After.Members(s)):
			d.changedServices = append(d.changedServices, s)
		}
	}
	for _, s := range ch.Before.Services {
		if _, err := ch.After.Service(s.Name); err != nil {
			d.goneServices = append(d.goneServices, s.Name)
		}
	}
}

// sameNetwork compares two networks, the place of the next address aside.
func sameNetwork(a, b topology.Network) bool {
	a.Last = b.Last
	return reflect.DeepEqual(a, b)
}

func sameExpectation(a, b topology.Expectation) bool {
	return a.From == b.From && a.To == b.To && a.Reaches() == b.Reaches()
}

// summary tells in a line an object what a change did.
func summary(ch engine.Change) []string {
	d := difference(ch)
	var lines []string
	lines = append(lines, each(d.newNetworks, "network", "created", "created", ofNetwork)...)
	lines = append(lines, each(d.newContainers, "container", "created", "created", ofContainer)...)
	lines = append(lines, each(d.changedContainers, "container", "", "changed", func(c topology.Container) (name, text string) {
		if name, text = ofContainer(c); text == "" {
			text = "connected to no network"
		}
		return name, text
	})...)
	lines = append(lines, each(d.newServices, "service", "created", "created", ofService(ch.After))...)
	lines = append(lines, each(d.changedServices, "service", "", "changed", ofService(ch.After))...)
	lines = append(lines, each(d.changedNetworks, "network", "", "changed", ofNetwork)...)
	lines = append(lines, deleted("container", d.goneContainers)...)
	lines = append(lines, deleted("service", d.goneServices)...)
	lines = append(lines, deleted("network", d.goneNetworks)...)
	lines = append(lines, ofEdge(ch.Before.Edge, ch.After.Edge)...)
	if n := len(ch.After.Expect); !slices.EqualFunc(ch.Before.Expect, ch.After.Expect, sameExpectation) && (n > 0 || len(lines) == 0) {
		lines = append(lines, fmt.Sprintf("%s on file, for cnet verify", count(n, "expectation")))
	}
	if len(lines) == 0 {
		return sentences(ch.Plan.Steps)
	}
	for i := range lines {
		lines[i] = wrap(lines[i], "  ")
	}
	return lines
}

// ofEdge tells of a change to the edge: of it, or of its routes.
func ofEdge(before, after *topology.Edge) (lines []string) {
	switch {
	case reflect.DeepEqual(before, after):
		return nil
	case after == nil:
		return []string{"edge stopped"}
	case before == nil || !reflect.DeepEqual(before.Listen, after.Listen) || !reflect.DeepEqual(before.TLS, after.TLS) || before.Limits != after.Limits:
		lines = append(lines, "edge listens at "+strings.Join(append(slices.Clip(after.Listen), after.TLS...), ", "))
	}
	if before == nil {
		before = &topology.Edge{}
	}
	for _, r := range after.Routes {
		if !slices.ContainsFunc(before.Routes, func(o topology.Route) bool { return reflect.DeepEqual(o, r) }) {
			lines = append(lines, "route "+r.Name()+": "+describeRoute(r))
		}
	}
	for _, o := range before.Routes {
		if !slices.ContainsFunc(after.Routes, func(r topology.Route) bool { return o.Name() == r.Name() }) {
			lines = append(lines, "route "+o.Name()+" deleted")
		}
	}
	return lines
}

// describeRoute tells where a route leads.
func describeRoute(r topology.Route) string {
	var words []string
	for _, u := range r.Rules {
		kind := "header " + u.Header
		if u.Cookie != "" {
			kind = "cookie " + u.Cookie
		}
		words = append(words, fmt.Sprintf("%s %s to %s", kind, u.Value, u.Service))
	}
	for _, w := range r.To {
		words = append(words, fmt.Sprintf("%s %d", w.Name, w.Weight))
	}
	if r.Sticky != "" {
		words = append(words, "sticky by "+r.Sticky)
	}
	if r.Mirror != nil {
		words = append(words, fmt.Sprintf("%d%% mirrored to %s", r.Mirror.Weight, r.Mirror.Name))
	}
	if r.Failover != "" {
		words = append(words, "else "+r.Failover)
	}
	return strings.Join(words, ", ")
}

// each tells of things of one kind in a line each, or of many in one line; one
// and all are what happened to it or to them.
func each[T any](list []T, thing, one, all string, describe func(T) (name, text string)) []string {
	lines, names := make([]string, len(list)), make([]string, len(list))
	for i, v := range list {
		name, text := describe(v)
		lines[i], names[i] = strings.TrimSpace(thing+" "+name+" "+one), name
		if text != "" {
			lines[i] += ": " + text
		}
	}
	if len(list) > many {
		return []string{fmt.Sprintf("%s %s: %s", count(len(list), thing), all, some(names))}
	}
	return lines
}

func ofNetwork(n topology.Network) (name, text string)     { return n.Name, describeNetwork(n) }
func ofContainer(c topology.Container) (name, text string) { return c.Name, describePlaces(c) }

// sentences tell of a change to the kernel alone, as repair makes it.
func sentences(steps []fact.Step) []string {
	if len(steps) == 0 {
		return []string{nothing}
	}
	past := map[fact.Verb]string{fact.Make: "made", fact.Break: "undone", fact.Mend: "mended"}
	lines := make([]string, 0, many)
	for i, s := range steps {
		if i == many {
			return append(lines, labelled("", fmt.Sprintf("and %d more", len(steps)-i)))
		}
		lines = append(lines, labelled(past[s.Verb], s.Fact.Say()))
	}
	return lines
}

func deleted(thing string, names []string) []string {
	switch len(names) {
	case 0:
		return nil
	case 1:
		return []string{thing + " " + names[0] + " deleted"}
	}
	return []string{fmt.Sprintf("%s deleted: %s", count(len(names), thing), some(names))}
}

func describeNetwork(n topology.Network) string {
	words := []string{n.Driver, n.Subnet.String()}
	if n.IPv6 {
		words = append(words, n.Subnet6.String())
	}
	words = append(words, "gateway "+n.Gateway.String())
	if n.Internal {
		words = append(words, "internal")
	}
	if !n.Talk() {
		words = append(words, "icc=false")
	}
	return strings.Join(words, ", ")
}

// notes6 tells of ports, newly published, that do not answer on the host's ::1
// as one might expect (docs/network.md says why).
func notes6(ch engine.Change) []string {
	var lines []string
	d := difference(ch)
	for _, c := range append(d.newContainers, d.changedContainers...) {
		n, err := ch.After.Network(mainNetwork(c))
		old, _ := ch.Before.Container(c.Name)
		if err != nil || !n.IPv6 || old != nil && len(old.Publish) >= len(c.Publish) {
			continue
		}
		var silent []string
		for _, p := range c.Publish {
			if p.SilentOn6() {
				silent = append(silent, strconv.Itoa(int(p.Host)))
			}
		}
		switch len(silent) {
		case 0:
		case 1:
			lines = append(lines, fmt.Sprintf("port %s of %s does not answer on the host's ::1; use 127.0.0.1", silent[0], c.Name))
		default:
			lines = append(lines, fmt.Sprintf("ports %s of %s do not answer on the host's ::1; use 127.0.0.1", some(silent), c.Name))
		}
	}
	return lines
}

func mainNetwork(c topology.Container) string {
	if a := c.Main(); a != nil {
		return a.Network
	}
	return ""
}

// describePlaces tells where a container is connected and published.
func describePlaces(c topology.Container) string {
	var words []string
	if c.Share != "" {
		words = append(words, "shares the stack of "+c.Share)
	}
	if c.Stack != "" {
		words = append(words, "holds the stack "+c.Stack)
	}
	for _, a := range c.Networks {
		words = append(words, fmt.Sprintf("%s on %s", addresses(a), a.Network))
	}
	if len(c.Publish) > many {
		words = append(words, fmt.Sprintf("published %d ports: %s", len(c.Publish), ports(c.Publish)))
	} else {
		for _, p := range c.Publish {
			words = append(words, "published "+p.String())
		}
	}
	if c.Sidecar != nil {
		words = append(words, "with a sidecar")
	}
	return strings.Join(words, ", ")
}

func addresses(a topology.Attachment) string {
	if a.IP6.IsValid() {
		return a.IP.String() + " " + a.IP6.String()
	}
	return a.IP.String()
}

// nothing is what a command says that found all as it should be.
const nothing = "nothing to do"
