package cli

import (
	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/topology"
)

func newListCmd(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List containers",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			t, err := a.engine().Topology()
			if err != nil {
				return err
			}
			a.hintIdle(c.Context(), t)
			if a.output != "" {
				return a.data(append([]topology.Container{}, t.Containers...))
			}
			rows := [][]string{{"NAME", "NAMESPACE", "NETWORK", "ADDRESS", "PUBLISHED"}}
			for _, k := range t.Containers {
				rows = append(rows, containerRows(k)...)
			}
			return table(a.out, rows)
		},
	}
	a.outputFlag(c)
	return c
}

// containerRows are a container's rows: one for each network, at least one.
func containerRows(k topology.Container) [][]string {
	own := "own"
	switch {
	case k.Netns != "":
		own = "adopted"
	case k.Share != "":
		own = "of " + k.Share
	case k.Stack != "":
		own = "stack " + k.Stack
	}
	rows := [][]string{{k.Name, own, "-", "-", "-"}}
	for i, n := range k.Networks {
		row := []string{"", "", n.Network, addresses(n), "-"}
		if i == 0 {
			row[0], row[1] = k.Name, own
			rows = rows[:0]
		}
		if k.Main().Network == n.Network && len(k.Publish) > 0 {
			row[4] = ports(k.Publish)
		}
		rows = append(rows, row)
	}
	return rows
}

func ports(list []topology.Port) string {
	words := make([]string, len(list))
	for i, p := range list {
		words[i] = p.String()
	}
	return some(words)
}
