package cli

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/topology"
)

func newInspectCmd(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "inspect NAME...",
		Short: "Show all of a container",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			t, err := a.engine().Topology()
			if err != nil {
				return err
			}
			return a.inspectAll(args, func(name string) (any, error) { return inspectContainer(t, name) })
		},
	}
	a.outputFlag(c)
	return c
}

// inspectAll shows each named object: as a list for scripts, as YAML for people.
func (a *app) inspectAll(names []string, inspect func(string) (any, error)) error {
	views := make([]any, 0, len(names))
	for _, name := range names {
		v, err := inspect(name)
		if err != nil {
			return err
		}
		views = append(views, v)
	}
	if a.output != "" {
		return a.data(views)
	}
	for i, v := range views {
		b, err := topology.YAML(v)
		if err != nil {
			return err
		}
		if i > 0 {
			fmt.Fprintln(a.out)
		}
		if _, err := a.out.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// containerView is a container with what follows from its place in the topology.
type containerView struct {
	Name      string            `json:"name"`
	Namespace string            `json:"namespace"`
	Adopted   string            `json:"adopted,omitempty"`
	Share     string            `json:"share,omitempty"`
	Stack     string            `json:"stack,omitempty"`
	Pod       []string          `json:"pod,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Networks  []placeView       `json:"networks"`
	Published []topology.Port   `json:"published"`
	Services  []string          `json:"services,omitempty"`
	Facts     []string          `json:"facts"`
}

type placeView struct {
	topology.Attachment
	Prefix   string `json:"prefix"`
	Gateway  string `json:"gateway"`
	HostLink string `json:"host_link"`
}

func inspectContainer(t topology.Topology, name string) (any, error) {
	k, err := t.Container(name)
	if err != nil {
		return nil, err
	}
	v := containerView{
		Name: k.Name, Namespace: topology.NetnsPath(k.Name), Adopted: k.Netns, Share: k.Share, Labels: k.Labels,
		Networks: []placeView{}, Published: append([]topology.Port{}, k.Publish...),
		Facts: factsOf(t, "container "+k.Name),
	}
	holder := t.Stack(*k)
	if pod := t.Pod(holder.Name); len(pod) > 1 || k.Stack != "" {
		v.Stack, v.Pod = holder.StackName(), pod
	}
	for _, s := range t.Services {
		if slices.ContainsFunc(t.Members(s), func(m topology.Member) bool { return m.Container == name }) {
			v.Services = append(v.Services, s.Name)
		}
	}
	for _, at := range k.Networks {
		n, err := t.Network(at.Network)
		if err != nil {
			return nil, err
		}
		v.Networks = append(v.Networks, placeView{at, n.Subnet.String(), n.Gateway.String(), n.HostLink(k.StackName(), at)})
	}
	return v, nil
}

type networkView struct {
	topology.Network
	Link       string   `json:"link"`
	Containers []string `json:"containers"`
	Facts      []string `json:"facts"`
}

func inspectNetwork(t topology.Topology, name string) (any, error) {
	n, err := t.Network(name)
	if err != nil {
		return nil, err
	}
	v := networkView{Network: *n, Link: n.LinkPattern(), Containers: []string{}, Facts: factsOf(t, "network "+n.Name)}
	for _, k := range members(t, n.Name) {
		v.Containers = append(v.Containers, k.Name)
	}
	return v, nil
}

// factsOf are the sentences that are made true for an object.
func factsOf(t topology.Topology, owner string) []string {
	c := topology.Compile(t)
	var says []string
	for _, f := range c.Facts {
		if c.Owner[f.Key()] == owner {
			says = append(says, f.Say())
		}
	}
	return says
}
