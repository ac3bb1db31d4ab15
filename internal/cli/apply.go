package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/fact"
)

func newApplyCmd(a *app) *cobra.Command {
	var file string
	var prune bool
	c := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Make what a topology file says",
		Long: `Make the networks and containers of a topology file (YAML or JSON): what is
missing is added, what differs is changed, and the rest stays. Applying the same
file twice changes nothing. FILE - is standard input. What it says under expect is for
cnet verify.`,
		Example: `  cnet export > lab.yaml
  cnet apply -f lab.yaml --dry-run`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if file == "" {
				return fail.New(fail.Usage, "apply", "no file is named").Try("cnet apply -f lab.yaml")
			}
			data, err := a.readFile(file)
			if err != nil {
				return err
			}
			wanted, err := topology.Parse(file, data)
			if err != nil {
				return err
			}
			return a.change(c, func(t *topology.Topology, h topology.Host) error {
				return t.Apply(wanted, prune, h)
			})
		},
	}
	a.changeFlags(c)
	a.firewallFlag(c)
	c.Flags().StringVarP(&file, "file", "f", "", "topology `file`, - for standard input")
	c.Flags().BoolVar(&prune, "prune", false, "delete what the file does not name")
	return c
}

func (a *app) readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(a.in)
	}
	data, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fail.New(fail.NotFound, "read "+name, "there is no such file")
	case err != nil:
		return nil, fail.New(fail.Usage, "read "+name, "%w", cause(err))
	}
	return data, nil
}

// cause is what the kernel said, without the path that a sentence names already.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func newExportCmd(a *app) *cobra.Command {
	var script bool
	c := &cobra.Command{
		Use:   "export",
		Short: "Write the topology as a file, or as a shell script",
		Long: `Write the topology as a file that cnet apply reads or, with --script, as the
shell script of all facts: the commands that make the same by hand.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			t, err := a.engine().Topology()
			if err != nil {
				return err
			}
			switch {
			case script:
				return writeScript(a.out, typed(), fact.Diff(nil, topology.Compile(t).Facts))
			case a.output == "json":
				return a.data(t)
			}
			text, err := t.Text()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.out, "# %s\n%s", typed(), text)
			return err
		},
	}
	a.outputFlag(c)
	c.Flags().BoolVar(&script, "script", false, "write a shell script")
	return c
}
