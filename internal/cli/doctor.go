package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/doctor"
	"github.com/cnetlab/cnet/internal/fail"
)

func newDoctorCmd(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what on this host stops container networking",
		Long: `Look for what on this host will stop container networking: before there are
networks, and after. Each finding says how bad it is, how it was seen, and how
to mend it. It only reads. Without root it looks at less, and says at what not.
The exit code is 6 when a finding is an error.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			report := a.engine().Doctor(c.Context())
			if err := c.Context().Err(); err != nil {
				return err
			}
			if a.output != "" {
				if err := a.data(report); err != nil {
					return err
				}
			} else {
				a.showReport(report)
			}
			if report.Worst() == doctor.Error {
				return exit(fail.Unmet)
			}
			return nil
		},
	}
	a.outputFlag(c)
	return c
}

func (a *app) showReport(r doctor.Report) {
	number := make(map[doctor.Severity]int)
	for _, f := range r.Findings {
		number[f.Severity]++
		fmt.Fprintln(a.out, labelled(string(f.Severity), f.Say))
		a.showCommand("seen: ", f.Seen)
		for _, command := range strings.Split(f.Mend, "; ") {
			a.showCommand("mend: ", command)
		}
		if f.Advice != "" {
			fmt.Fprintln(a.out, labelled("", "do: "+f.Advice))
		}
	}
	for _, u := range r.Unseen {
		fmt.Fprintln(a.out, labelled("unseen", u))
	}
	fmt.Fprintf(a.err, "cnet: %s, %s, %s\n", count(number[doctor.Error], "error"),
		count(number[doctor.Warning], "warning"), count(number[doctor.Note], "note"))
}

// showCommand shows a command on one line, so that it can be copied.
func (a *app) showCommand(word, command string) {
	if command != "" {
		fmt.Fprintf(a.out, "%9s%s%s\n", "", word, command)
	}
}
