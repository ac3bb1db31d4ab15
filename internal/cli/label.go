package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/topology"
)

func newLabelCmd(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "label NAME KEY=VALUE... KEY-...",
		Short: "Change the labels of a container",
		Long: `Change the labels of a container: KEY=VALUE gives it one, KEY- takes one away.
Services choose their backends by labels: it joins and leaves them at once.`,
		Example: `  cnet label c1 app=web version=v2
  cnet label c1 app-`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			var give, drop []string
			for _, w := range args[1:] {
				if key, is := strings.CutSuffix(w, "-"); is && !strings.Contains(w, "=") {
					drop = append(drop, key)
				} else {
					give = append(give, w)
				}
			}
			labels, err := topology.ParseLabels(give)
			if err != nil {
				return err
			}
			return a.change(c, func(t *topology.Topology, _ topology.Host) error {
				return t.Label(args[0], labels, drop)
			})
		},
	}
	a.changeFlags(c)
	return c
}
