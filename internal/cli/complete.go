package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/topology"
)

// choices are the words that may stand at one place, given those before it.
type choices func(t topology.Topology, before []string) []string

// place says what may stand as each argument of a command, and what as the rest.
type place struct {
	args []choices
	rest choices
}

// places are the commands that take the name of a container or a network.
var places = map[string]place{
	"connect":         {args: []choices{containerNames, networkNames}},
	"delete":          {rest: containerNames},
	"disconnect":      {args: []choices{containerNames, networksOf}},
	"exec":            {args: []choices{containerNames}},
	"inspect":         {rest: containerNames},
	"probe":           {args: []choices{containerNames}},
	"load":            {args: []choices{containerNames}},
	"sidecar attach":  {args: []choices{containerNames}},
	"sidecar detach":  {args: []choices{withSidecar}},
	"sidecar status":  {args: []choices{withSidecar}},
	"edge route":      {args: []choices{routeNames}},
	"edge unroute":    {args: []choices{routeNames}},
	"logs":            {args: []choices{processNames}},
	"ps":              {rest: processNames},
	"resolve":         {args: []choices{allNames}},
	"publish":         {args: []choices{containerNames}},
	"shell":           {args: []choices{containerNames}},
	"verify":          {rest: containerNames},
	"unpublish":       {args: []choices{containerNames}, rest: portsOf},
	"label":           {args: []choices{containerNames}, rest: labelsOf},
	"network delete":  {rest: networkNames},
	"network inspect": {rest: networkNames},
	"service add":     {args: []choices{serviceNames}, rest: candidatesOf},
	"service delete":  {rest: serviceNames},
	"service inspect": {rest: serviceNames},
	"service remove":  {args: []choices{serviceNames}, rest: backendsOf},
	"service ramp":    {args: []choices{serviceNames, weightNames}},
	"service set":     {args: []choices{serviceNames}},
}

// addCompletions tells the shell where a container or a network is meant.
func (a *app) addCompletions(root *cobra.Command) {
	addCompletionCommand(root)
	for path, p := range places {
		if c, _, err := root.Find(strings.Fields(path)); err == nil {
			c.ValidArgsFunction = a.complete(p)
		}
	}
	if create, _, err := root.Find([]string{"create"}); err == nil {
		_ = create.RegisterFlagCompletionFunc("network", a.complete(place{rest: networkNames}))
		_ = create.RegisterFlagCompletionFunc("share", a.complete(place{rest: containerNames}))
		_ = create.RegisterFlagCompletionFunc("label", a.complete(place{rest: allLabels}))
	}
	for _, path := range []string{"resolve", "verify"} {
		if c, _, err := root.Find([]string{path}); err == nil {
			_ = c.RegisterFlagCompletionFunc("from", a.complete(place{rest: containerNames}))
		}
	}
	if route, _, err := root.Find([]string{"edge", "route"}); err == nil {
		for _, flag := range []string{"to", "failover", "mirror"} {
			_ = route.RegisterFlagCompletionFunc(flag, a.complete(place{rest: serviceNames}))
		}
	}
	a.completeService(root)
}

// completeService tells the shell what the flags of a service name.
func (a *app) completeService(root *cobra.Command) {
	for _, path := range [][]string{{"service", "create"}, {"service", "set"}} {
		if c, _, err := root.Find(path); err == nil {
			_ = c.RegisterFlagCompletionFunc("network", a.complete(place{rest: networkNames}))
			_ = c.RegisterFlagCompletionFunc("backend", a.complete(place{rest: containerNames}))
			_ = c.RegisterFlagCompletionFunc("selector", a.complete(place{rest: allLabels}))
		}
	}
}

// complete reads the state, for which no root is needed. What follows the name
// in exec is a program and its files, which the shell itself completes.
func (a *app) complete(p place) cobra.CompletionFunc {
	return func(c *cobra.Command, before []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		read := p.rest
		switch {
		case len(before) < len(p.args):
			read = p.args[len(before)]
		case c.Name() == "exec":
			return nil, cobra.ShellCompDirectiveDefault
		case read == nil:
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		t, err := a.engine().Topology()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return without(read(t, before), before), cobra.ShellCompDirectiveNoFileComp
	}
}

func containerNames(t topology.Topology, _ []string) []string { return allContainers(&t) }

func networkNames(t topology.Topology, _ []string) []string {
	list := make([]string, 0, len(t.Networks))
	for _, n := range t.Networks {
		list = append(list, n.Name)
	}
	return list
}

func serviceNames(t topology.Topology, _ []string) []string {
	list := make([]string, 0, len(t.Services))
	for _, s := range t.Services {
		list = append(list, s.Name)
	}
	return list
}

// withSidecar are the containers that have a sidecar.
func withSidecar(t topology.Topology, _ []string) (list []string) {
	for _, k := range t.Containers {
		if t.Stack(k).Sidecar != nil {
			list = append(list, k.Name)
		}
	}
	return list
}

func routeNames(t topology.Topology, _ []string) (list []string) {
	if t.Edge != nil {
		for _, r := range t.Edge.Routes {
			list = append(list, r.Name())
		}
	}
	return list
}

// processNames are what processes go by: containers, and those that cnet keeps.
func processNames(t topology.Topology, _ []string) []string {
	list := append(allContainers(&t), "agent", "dns", edgeName)
	for _, k := range t.Containers {
		if k.Sidecar != nil {
			list = append(list, sidecarPrefix+k.StackName())
		}
	}
	return list
}

// allNames are those of containers and services.
func allNames(t topology.Topology, _ []string) []string {
	return append(allContainers(&t), serviceNames(t, nil)...)
}

// candidatesOf are the containers that the service named before could be given.
func candidatesOf(t topology.Topology, before []string) (list []string) {
	s, err := t.Service(before[0])
	if err != nil {
		return nil
	}
	taken := backendsOf(t, before)
	for _, k := range t.Containers {
		on := func(a topology.Attachment) bool { return a.Network == s.Network }
		if slices.ContainsFunc(t.Stack(k).Networks, on) && !slices.Contains(taken, k.Name) {
			list = append(list, k.Name)
		}
	}
	return list
}

// weightNames are the backends and groups of the service named before.
func weightNames(t topology.Topology, before []string) (list []string) {
	if s, err := t.Service(before[0]); err == nil {
		for _, w := range t.Weights(*s) {
			list = append(list, w.Name)
		}
	}
	return list
}

// backendsOf are the backends that the service named before names.
func backendsOf(t topology.Topology, before []string) (list []string) {
	if s, err := t.Service(before[0]); err == nil {
		for _, b := range s.Backends {
			list = append(list, b.Container)
		}
	}
	return list
}

// labelsOf takes away the labels of the container named before.
func labelsOf(t topology.Topology, before []string) (list []string) {
	if k, err := t.Container(before[0]); err == nil {
		for key := range k.Labels {
			list = append(list, key+"-")
		}
	}
	slices.Sort(list)
	return list
}

// allLabels are the labels that containers have.
func allLabels(t topology.Topology, _ []string) (list []string) {
	for _, k := range t.Containers {
		for key, value := range k.Labels {
			list = append(list, key+"="+value)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// networksOf are the networks that the container named before is connected to.
func networksOf(t topology.Topology, before []string) (list []string) {
	if k, err := t.Container(before[0]); err == nil {
		for _, n := range k.Networks {
			list = append(list, n.Network)
		}
	}
	return list
}

// portsOf are the published ports of the container named before.
func portsOf(t topology.Topology, before []string) (list []string) {
	if k, err := t.Container(before[0]); err == nil {
		for _, p := range k.Publish {
			list = append(list, p.String())
		}
	}
	return list
}

func without(list, taken []string) (left []string) {
	is := make(map[string]bool, len(taken))
	for _, w := range taken {
		is[w] = true
	}
	for _, w := range list {
		if !is[w] {
			left = append(left, w)
		}
	}
	return left
}

// addCompletionCommand adds cobra's own command, but says so when it is asked
// for a shell that it does not know.
func addCompletionCommand(root *cobra.Command) {
	root.SetCompletionCommandGroupID("more")
	root.InitDefaultCompletionCmd()
	c, _, err := root.Find([]string{"completion"})
	if err != nil {
		return
	}
	c.Short = "Write a script that completes cnet's words in your shell"
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return fail.New(fail.Usage, "completion "+args[0], "there is none for that shell").Try("cnet completion --help")
		}
		return c.Help()
	}
}
