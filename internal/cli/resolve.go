package cli

import (
	"context"
	"errors"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/names"
	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/fact"
)

func newResolveCmd(a *app) *cobra.Command {
	var from, kind string
	c := &cobra.Command{
		Use:   "resolve [--from CONTAINER] NAME|ADDRESS",
		Short: "Ask for the addresses of a name",
		Long: `Ask the name server of cnet for a name, or for the name of an address: as the
host, which sees the names of all networks, or as a container does, with its own
resolv.conf. The answer is what the server says, and not what is in the files of
cnet. Names are written web, web.lab (in network lab), or either with .cnet behind
it. The exit code is 3 if there is no such name.`,
		Example: `  cnet resolve web
  cnet resolve --from web db.lab
  cnet resolve 10.77.0.2`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			types, err := names.Types(kind)
			if err != nil {
				return fail.New(fail.Usage, "resolve "+args[0], "%w", err).Try("--type A, or AAAA, PTR, SOA")
			}
			how, err := a.asking(c.Context(), from)
			if err != nil {
				return err
			}
			r, err := how.Resolve(c.Context(), args[0], types)
			return a.resolved(args[0], r, err)
		},
	}
	c.Flags().StringVar(&from, "from", "", "ask as this `container` does")
	c.Flags().StringVarP(&kind, "type", "t", "", "`type` of the records, like PTR (default: A and AAAA)")
	a.outputFlag(c)
	return c
}

// asking is how the host asks for names or, from within it, a container.
func (a *app) asking(ctx context.Context, from string) (how names.Asking, err error) {
	if from != "" {
		if err := a.enter(ctx, from, nil, ""); err != nil {
			return how, err
		}
		return names.ReadAsking("/etc/resolv.conf")
	}
	t, err := a.engine().Topology()
	if err != nil {
		return how, err
	}
	for _, at := range names.Of(t).Gateways() {
		how.Servers = append(how.Servers, at.Addr().String())
	}
	if len(how.Servers) == 0 {
		return how, fail.New(fail.NotFound, "resolve", "no network here answers for names").Try("cnet network create lab")
	}
	how.Search = []string{topology.Domain}
	return how, nil
}

// resolved shows an answer, or says why there is none.
func (a *app) resolved(name string, r names.Result, err error) error {
	what := "resolve " + fact.Quote(name)
	switch {
	case errors.Is(err, names.ErrSilent):
		return fail.New(fail.Failed, what, "%w", err).Try("cnet check")
	case err != nil:
		return fail.New(fail.Usage, what, "%w", err)
	case r.Status == "REFUSED":
		return fail.New(fail.Failed, what, "%s answers nobody here about that name", r.Server)
	case r.Status == "NXDOMAIN":
		return fail.New(fail.NotFound, what, "%s knows no such name", r.Server).Try("cnet list, or cnet service list")
	case r.Status != "NOERROR":
		return fail.New(fail.Failed, what, "%s answers %s", r.Server, r.Status)
	case a.output != "":
		return a.data(r)
	case len(r.Records) == 0:
		return fail.New(fail.NotFound, what, "there is such a name, but nothing of that type")
	}
	rows := [][]string{{"NAME", "TTL", "TYPE", "DATA"}}
	for _, rec := range r.Records {
		rows = append(rows, []string{rec.Name, strconv.FormatUint(uint64(rec.TTL), 10), rec.Type, rec.Data})
	}
	return table(a.out, rows)
}
