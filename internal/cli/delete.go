package cli

import (
	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/topology"
)

func newDeleteCmd(a *app) *cobra.Command {
	var all, ifExists bool
	c := &cobra.Command{
		Use:   "delete NAME... | --all",
		Short: "Delete containers and all that was made for them",
		Long: `Delete containers: their published ports, cables and namespaces. Of an adopted
namespace only what cnet added goes. What cnet exec -d started there is ended.
A stack that others share stays, with its networks and ports, for the others.
Networks stay; see cnet network delete and cnet reset.`,
		Example: `  cnet delete web
  cnet delete --all`,
		RunE: func(c *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return fail.New(fail.Usage, "delete", "name the containers, or say --all").Try("cnet delete web")
			}
			if err := once("delete", args); err != nil {
				return err
			}
			return a.change(c, func(t *topology.Topology, _ topology.Host) error {
				names := args
				if all {
					names = allContainers(t)
				}
				return remove(t, names, ifExists)
			})
		},
	}
	a.changeFlags(c)
	c.Flags().BoolVar(&all, "all", false, "delete every container")
	c.Flags().BoolVar(&ifExists, "if-exists", false, "a container that does not exist is no error")
	return c
}

// remove takes containers out.
func remove(t *topology.Topology, names []string, ifExists bool) error {
	there := make([]string, 0, len(names))
	for _, name := range names {
		_, err := t.Container(name)
		if err != nil && !(ifExists && fail.KindOf(err) == fail.NotFound) {
			return err
		}
		if err == nil {
			there = append(there, name)
		}
	}
	return t.RemoveContainer(there...)
}

func allContainers(t *topology.Topology) []string {
	names := make([]string, 0, len(t.Containers))
	for _, c := range t.Containers {
		names = append(names, c.Name)
	}
	return names
}
