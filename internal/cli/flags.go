package cli

import (
	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/fail"
)

// positive refuses flags that are given as 0, which is what they are when not given.
func positive(c *cobra.Command, flags ...string) error {
	for _, name := range flags {
		f := c.Flags().Lookup(name)
		if v := f.Value.String(); f.Changed && (v == "0" || v == "0s") {
			return fail.New(fail.Usage, "--"+name+" "+v, "it must be more than 0").Try("%s --help", c.CommandPath())
		}
	}
	return nil
}
