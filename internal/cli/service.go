package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/topology"
)

func newServiceCmd(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "service",
		Short: "Put one name and one address in front of containers",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fail.New(fail.Usage, "service "+args[0], "there is no such command").Try("cnet service --help")
			}
			return c.Help()
		},
	}
	c.AddCommand(newServiceCreateCmd(a), newServiceSetCmd(a), newServiceAddCmd(a), newServiceRemoveCmd(a),
		newServiceDeleteCmd(a), newServiceRampCmd(a), newServiceListCmd(a), newServiceInspectCmd(a))
	return c
}

func newServiceCreateCmd(a *app) *cobra.Command {
	var f serviceFlags
	var ifNotExists bool
	c := &cobra.Command{
		Use:   "create NAME --network NETWORK --port PORT...",
		Short: "Make a service: an address that the kernel shares among containers",
		Long: `Make a service: an address that no link has. The kernel leads each new
connection to it on to one of its backends: those named, and those whose labels
the selector asks for, as they come and go. The network's containers and the
host can call it; with --publish, so can everybody, at a port of the host.

` + serviceWords,
		Example: `  cnet service create web --network lab --port 80:8080 --backend c1 --backend c2
  cnet service create api --network lab --port 80 --selector app=api -p 80
  cnet service create db --network lab --headless --selector app=db`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			merge, err := f.parse()
			if err != nil {
				return err
			}
			return a.change(c, func(t *topology.Topology, h topology.Host) error {
				if _, err := t.Service(args[0]); err == nil && ifNotExists {
					return nil
				}
				s := topology.Service{Name: args[0]}
				if err := merge(&s); err != nil {
					return err
				}
				return t.AddService(s, h)
			})
		},
	}
	a.changeFlags(c)
	f.add(c)
	c.Flags().BoolVar(&ifNotExists, "if-not-exists", false, "leave a service that exists as it is")
	return c
}

const serviceWords = `A port is written PORT[:BACKENDPORT][/tcp|udp]. A weight is of a backend or of a
group: the value of the label version, or of --group-by. A group's weight is
shared evenly among its members; where there are weights, who has none gets
nothing.`

func newServiceSetCmd(a *app) *cobra.Command {
	var f serviceFlags
	c := &cobra.Command{
		Use:   "set NAME",
		Short: "Change a service",
		Long: `Change a service: each flag replaces what it says, the rest stays. Where several
can be named, none means none: --weight none.

Connections that are open stay with their backends.

` + serviceWords,
		Example: `  cnet service set web --weight v1=95 --weight v2=5
  cnet service set web --mode exact --affinity 3h
  cnet service set web --publish none`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			merge, err := f.parse()
			if err != nil {
				return err
			}
			return a.change(c, func(t *topology.Topology, h topology.Host) error {
				return t.SetService(args[0], h, merge)
			})
		},
	}
	a.changeFlags(c)
	f.add(c)
	return c
}

func newServiceAddCmd(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:     "add NAME BACKEND...",
		Short:   "Add backends to a service",
		Long:    "Add backends to a service: containers of its network, written CONTAINER[:PORT].",
		Example: "  cnet service add web c3 c4:8081",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			backends, err := parseAll(args[1:], topology.ParseBackend)
			if err != nil {
				return err
			}
			return a.change(c, func(t *topology.Topology, h topology.Host) error {
				return t.AddBackends(args[0], backends, h)
			})
		},
	}
	a.changeFlags(c)
	return c
}

func newServiceRemoveCmd(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "remove NAME CONTAINER...",
		Short: "Take backends off a service",
		Long: `Take backends off a service. It leads no new connection to them; those that are
open go on.`,
		Example: "  cnet service remove web c1",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			if err := once("service remove", args[1:]); err != nil {
				return err
			}
			return a.change(c, func(t *topology.Topology, _ topology.Host) error {
				return t.RemoveBackends(args[0], args[1:])
			})
		},
	}
	a.changeFlags(c)
	return c
}

func newServiceDeleteCmd(a *app) *cobra.Command {
	var ifExists bool
	c := &cobra.Command{
		Use:   "delete NAME...",
		Short: "Delete services; their backends stay",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := once("service delete", args); err != nil {
				return err
			}
			return a.change(c, func(t *topology.Topology, _ topology.Host) error {
				for _, name := range args {
					err := t.RemoveService(name)
					if err != nil && !(ifExists && fail.KindOf(err) == fail.NotFound) {
						return err
					}
				}
				return nil
			})
		},
	}
	a.changeFlags(c)
	c.Flags().BoolVar(&ifExists, "if-exists", false, "a service that does not exist is no error")
	return c
}

func newServiceListCmd(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List services",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			t, err := a.engine().Topology()
			if err != nil {
				return err
			}
			if a.output != "" {
				return a.data(append([]topology.Service{}, t.Services...))
			}
			rows := [][]string{{"NAME", "NETWORK", "ADDRESS", "PORTS", "PUBLISHED", "BACKENDS"}}
			for _, s := range t.Services {
				rows = append(rows, []string{s.Name, s.Network, orDash(vips(s)), orDash(texts(s.Ports)), orDash(texts(s.Publish)),
					orDash(describeMembers(t.Members(s)))})
			}
			return table(a.out, rows)
		},
	}
	a.outputFlag(c)
	return c
}

func newServiceInspectCmd(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "inspect NAME...",
		Short: "Show all of a service, its backends and their shares",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			t, err := a.engine().Topology()
			if err != nil {
				return err
			}
			return a.inspectAll(args, func(name string) (any, error) { return inspectService(t, name) })
		},
	}
	a.outputFlag(c)
	return c
}

// serviceView is a service with what follows from the rest of the topology.
type serviceView struct {
	topology.Service
	Members []topology.Member `json:"members"`
	Facts   []string          `json:"facts"`
}

func inspectService(t topology.Topology, name string) (any, error) {
	s, err := t.Service(name)
	if err != nil {
		return nil, err
	}
	return serviceView{*s, append([]topology.Member{}, t.Members(*s)...), factsOf(t, "service "+name)}, nil
}

func ofService(t topology.Topology) func(topology.Service) (name, text string) {
	return func(s topology.Service) (string, string) {
		words := []string{"on " + s.Network}
		if v := vips(s); v != "" {
			words[0] = v + " " + words[0]
		} else {
			words = append(words, "headless")
		}
		if len(s.Ports) > 0 {
			words = append(words, texts(s.Ports))
		}
		for _, p := range s.Publish {
			words = append(words, "published "+p.String())
		}
		list := t.Members(s)
		backends := count(len(list), "backend")
		if len(list) > 0 {
			backends += ": " + describeMembers(list)
		}
		return s.Name, strings.Join(append(words, backends), ", ")
	}
}

// describeMembers names backends, with their shares where they are not alike.
func describeMembers(list []topology.Member) string {
	sum, alike := 0, true
	for _, m := range list {
		sum += m.Weight
		alike = alike && m.Ready && m.Weight == list[0].Weight
	}
	words := make([]string, len(list))
	for i, m := range list {
		words[i] = m.Container
		switch {
		case !m.Ready:
			words[i] += " (not ready)"
		case sum == 0:
			words[i] += " 0%"
		case !alike:
			words[i] += fmt.Sprintf(" %.3g%%", 100*float64(m.Weight)/float64(sum))
		}
	}
	return some(words)
}

func vips(s topology.Service) string {
	switch {
	case s.VIP6.IsValid():
		return s.VIP.String() + " " + s.VIP6.String()
	case s.VIP.IsValid():
		return s.VIP.String()
	}
	return ""
}

// texts are the text forms of values in a row.
func texts[T fmt.Stringer](list []T) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = v.String()
	}
	return some(words)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
