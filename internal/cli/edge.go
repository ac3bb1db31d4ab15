package cli

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/edge"
	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/keep"
	"github.com/cnetlab/cnet/internal/topology"
)

const edgeName = "edge"

// edgeKept is the process of the edge.
func edgeKept() kept {
	return kept{
		Kind: keep.Kind{Open: edge.Open, Serve: func() keep.Server { return edge.NewServer() }},
		of: func(t topology.Topology) (any, []netip.AddrPort) {
			if t.Edge == nil {
				return nil, nil
			}
			know, at := edge.Of(t)
			know.Certificates = certificates(t.Edge.Certificates)
			return know, at
		},
		say:  "A process of cnet leads the requests of HTTP that come to the host (edge).",
		why:  "Who calls the host would be refused.",
		last: func(t topology.Topology) bool { return len(t.Networks) > 0 }, // not after down or reset
	}
}

// certificates reads what can be read: the edge says what is wrong with the rest.
func certificates(list []topology.Certificate) (pairs []edge.Pair) {
	for _, c := range list {
		cert, _ := os.ReadFile(c.Cert)
		key, _ := os.ReadFile(c.Key)
		pairs = append(pairs, edge.Pair{Certificate: cert, Key: key})
	}
	return pairs
}

func newEdgeCmd(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "edge",
		Short: "Lead HTTP requests by host, path, header and cookie",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fail.New(fail.Usage, "edge "+args[0], "there is no such command").Try("cnet edge --help")
			}
			return c.Help()
		},
	}
	c.AddCommand(newEdgeStartCmd(a), newEdgeStopCmd(a), newEdgeRouteCmd(a), newEdgeUnrouteCmd(a), newEdgeStatusCmd(a))
	return c
}

type edgeFlags struct {
	listen, tls             []string
	cert, key               []string
	header, connections     int
	body                    int64
	headerTime, requestTime time.Duration
	answerTime, idleTime    time.Duration
}

func newEdgeStartCmd(a *app) *cobra.Command {
	var f edgeFlags
	c := &cobra.Command{
		Use:   "start",
		Short: "Start the host's reverse proxy, or change it",
		Long: `Start a reverse proxy for HTTP on the host, or change the one there is: flags that
are left out go back to their defaults, routes stay. It speaks HTTP/1.1, h2c and
WebSocket and, where TLS is given, HTTP/2.

It leads requests by its routes (cnet edge route), and to containers that ask for
them by their labels: edge.host=shop.test, edge.path=cart, edge.port=8080,
edge.weight=5. Changes apply at once, and drop no request.`,
		Example: `  cnet edge start --listen :80
  cnet edge start --listen :80 --listen-tls :443 --cert shop.pem --key shop.key
  cnet create web --network lab --label edge.host=shop.test`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := positive(c, "max-header", "max-body", "max-connections"); err != nil {
				return err
			}
			e, err := f.edge()
			if err != nil {
				return err
			}
			return a.change(c, func(t *topology.Topology, h topology.Host) error {
				if err := t.SetEdge(e, h); err != nil {
					return err
				}
				return edge.CheckHere(append(slices.Clone(e.Listen), e.TLS...))
			})
		},
	}
	a.changeFlags(c)
	fl := c.Flags()
	fl.StringArrayVar(&f.listen, "listen", nil, "`ADDRESS:PORT`, or :PORT for all addresses of the host")
	fl.StringArrayVar(&f.tls, "listen-tls", nil, "the same, for TLS")
	fl.StringArrayVar(&f.cert, "cert", nil, "`file` with a certificate and those that sign it, in PEM")
	fl.StringArrayVar(&f.key, "key", nil, "`file` with its key, in PEM")
	fl.IntVar(&f.header, "max-header", 64<<10, "longest headers of a request, in `bytes`")
	fl.Int64Var(&f.body, "max-body", 16<<20, "longest body of a request, in `bytes`")
	fl.IntVar(&f.connections, "max-connections", 10000, "connections at once, at each address; more wait")
	fl.DurationVar(&f.headerTime, "header-time", 5*time.Second, "how long it may take until a request's headers are there")
	fl.DurationVar(&f.requestTime, "request-time", time.Minute, "how long it may take until all of a request is there")
	fl.DurationVar(&f.answerTime, "answer-time", 30*time.Second, "how long it may take until a backend's answer begins")
	fl.DurationVar(&f.idleTime, "idle-time", time.Minute, "how long a connection may rest between requests, and a client not read")
	return c
}

func (f edgeFlags) edge() (e topology.Edge, err error) {
	e = topology.Edge{
		Listen: f.listen, TLS: f.tls,
		Limits: topology.Limits{
			Header: f.header, Body: f.body, Connections: f.connections, HeaderTime: f.headerTime.String(),
			RequestTime: f.requestTime.String(), AnswerTime: f.answerTime.String(), IdleTime: f.idleTime.String(),
		},
	}
	if len(f.cert) != len(f.key) {
		return e, fail.New(fail.Usage, "edge", "there are %d certificates and %d keys", len(f.cert), len(f.key)).Try("--cert FILE --key FILE, as often as needed")
	}
	for i := range f.cert {
		var c topology.Certificate
		if c.Cert, err = filepath.Abs(f.cert[i]); err != nil {
			return e, err
		}
		if c.Key, err = filepath.Abs(f.key[i]); err != nil {
			return e, err
		}
		e.Certificates = append(e.Certificates, c)
	}
	return e, edge.CheckPairs(e.Certificates)
}

func newEdgeStopCmd(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:     "stop",
		Short:   "Take the reverse proxy away, with its routes",
		Long:    "Take the reverse proxy away, with its routes, when the requests under way have\nended, at the latest after --drain.",
		Example: "  cnet edge stop --drain 30s",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if a.grace <= 0 {
				return fail.New(fail.Usage, "--drain "+a.grace.String(), "it must be longer than 0").Try("--drain 5s")
			}
			return a.change(c, func(t *topology.Topology, _ topology.Host) error { return t.RemoveEdge() })
		},
	}
	a.changeFlags(c)
	c.Flags().DurationVar(&a.grace, "drain", defaultGrace, "how long requests under way may go on")
	return c
}

type routeFlags struct {
	to, headers, cookies     []string
	sticky, mirror, failover string
}

func newEdgeRouteCmd(a *app) *cobra.Command {
	var f routeFlags
	c := &cobra.Command{
		Use:   "route HOST[/PATH] --to SERVICE[=WEIGHT]...",
		Short: "Lead the requests for a host and path to services",
		Long: `Lead the requests for a host and a path to services, in the place of what a route
of that name said before. HOST is a name, *.NAME for all below it, or * for all;
of routes that fit, the host that says most decides, then the longest path.

The first header or cookie that fits decides on the service; then the sticky
cookie, which keeps a client at its backend; then the weights. A backend that
cannot be reached is passed over, and at the end the failover is asked. The
mirror is sent copies, for which nobody waits.`,
		Example: `  cnet edge route shop.test --to web
  cnet edge route shop.test/cart --to cart=95 --to cart-v2=5 --sticky cart
  cnet edge route shop.test --to web --header X-Canary=always:web-v2
  cnet edge route '*' --to web --mirror shadow=10 --failover spare`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := f.route(args[0])
			if err != nil {
				return err
			}
			return a.change(c, func(t *topology.Topology, _ topology.Host) error { return t.SetRoute(r) })
		},
	}
	a.changeFlags(c)
	fl := c.Flags()
	fl.StringArrayVar(&f.to, "to", nil, "`SERVICE[=WEIGHT]` that is given its part of the requests")
	fl.StringArrayVar(&f.headers, "header", nil, "`NAME=VALUE:SERVICE`: requests with that header go there")
	fl.StringArrayVar(&f.cookies, "cookie", nil, "`NAME=VALUE:SERVICE`: requests with that cookie go there")
	fl.StringVar(&f.sticky, "sticky", "", "`cookie` that keeps a client at its backend")
	fl.StringVar(&f.mirror, "mirror", "", "`SERVICE=PERCENT`: what is sent a copy of so many of a hundred")
	fl.StringVar(&f.failover, "failover", "", "`service` for when all others fail")
	return c
}

func (f routeFlags) route(name string) (r topology.Route, err error) {
	if r, err = topology.ParseRoute(name); err != nil {
		return r, err
	}
	r.Sticky, r.Failover = f.sticky, f.failover
	for _, spec := range f.to {
		if !strings.Contains(spec, "=") {
			spec += "=1"
		}
		w, err := topology.ParseWeight(spec)
		if err != nil {
			return r, err
		}
		r.To = append(r.To, w)
	}
	for i, list := range [][]string{f.headers, f.cookies} {
		for _, spec := range list {
			u, err := ruleOf(spec, i == 1)
			if err != nil {
				return r, err
			}
			r.Rules = append(r.Rules, u)
		}
	}
	if f.mirror != "" {
		w, err := topology.ParseWeight(f.mirror)
		if err != nil {
			return r, fail.New(fail.Usage, "mirror "+f.mirror, "it is not of the form SERVICE=PERCENT").Try("--mirror shadow=10")
		}
		r.Mirror = &w
	}
	return r, nil
}

// ruleOf reads NAME=VALUE:SERVICE.
func ruleOf(spec string, cookie bool) (u topology.Rule, err error) {
	name, rest, ok := strings.Cut(spec, "=")
	at := strings.LastIndexByte(rest, ':')
	if !ok || at < 0 {
		return u, fail.New(fail.Usage, fmt.Sprintf("rule %q", spec), "it is not of the form NAME=VALUE:SERVICE").Try("--header X-Canary=always:v2")
	}
	u = topology.Rule{Value: rest[:at], Service: rest[at+1:]}
	if cookie {
		u.Cookie = name
	} else {
		u.Header = name
	}
	return u, nil
}

func newEdgeUnrouteCmd(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:     "unroute HOST[/PATH]",
		Short:   "Take a route from the reverse proxy",
		Long:    "Take a route from the reverse proxy.",
		Example: "  cnet edge unroute shop.test/cart",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := topology.ParseRoute(args[0])
			if err != nil {
				return err
			}
			return a.change(c, func(t *topology.Topology, _ topology.Host) error { return t.RemoveRoute(r.Name()) })
		},
	}
	a.changeFlags(c)
	return c
}

// edgeStatus is how the edge fares, and how it is set up.
type edgeStatus struct {
	Edge    topology.Edge `json:"edge"`
	Running bool          `json:"running"`
	Status  edge.Status   `json:"status"`
}

func newEdgeStatusCmd(a *app) *cobra.Command {
	var metrics bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show the routes of the reverse proxy and their live shares",
		Long: `Show the routes of the reverse proxy, those by labels too, and how many requests
each has led where since the proxy was started. With --metrics, all that it
counts, in the form of Prometheus.`,
		Example: "  cnet edge status\n  cnet edge status -o json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			t, err := a.engine().Topology()
			if err != nil {
				return err
			}
			if t.Edge == nil {
				return fail.New(fail.NotFound, "edge", "the host has none").Try("cnet edge start --listen :80")
			}
			p, _ := a.keptOf(edgeName)
			s := edgeStatus{Edge: *t.Edge, Running: p.Runs()}
			if !s.Running {
				return fail.New(fail.Failed, "edge", "its process does not run").Try("cnet repair")
			}
			if err := p.Tell(&s.Status); err != nil {
				return err
			}
			switch {
			case a.output != "":
				return a.data(s)
			case metrics:
				_, err = fmt.Fprint(a.out, s.Status.Metrics)
				return err
			}
			return a.showEdge(s)
		},
	}
	a.outputFlag(c)
	c.Flags().BoolVar(&metrics, "metrics", false, "print all that it counts, in the form of Prometheus")
	return c
}

func (a *app) showEdge(s edgeStatus) error {
	listens := append([]string{}, s.Edge.Listen...)
	for _, at := range s.Edge.TLS {
		listens = append(listens, at+" (TLS)")
	}
	fmt.Fprintln(a.out, "listens at "+strings.Join(listens, ", "))
	sums := make(map[string]uint64)
	for _, sh := range s.Status.Shares {
		sums[sh.Route] += sh.Requests
	}
	rows := [][]string{{"ROUTE", "SERVICE", "BACKEND", "REQUESTS", "SHARE", "2XX", "4XX", "5XX"}}
	for _, sh := range s.Status.Shares {
		share := "-"
		if n := sums[sh.Route]; n > 0 {
			share = fmt.Sprintf("%.1f%%", 100*float64(sh.Requests)/float64(n))
		}
		row := []string{sh.Route, orDash(strings.TrimSuffix(sh.Service, " of "+sh.Route)), orDash(sh.Backend), strconv.FormatUint(sh.Requests, 10), share}
		for _, class := range []int{2, 4, 5} {
			row = append(row, strconv.FormatUint(sh.Classes[class], 10))
		}
		rows = append(rows, row)
	}
	if err := table(a.out, rows); err != nil {
		return err
	}
	if m := s.Status.Mirror; m != (edge.Mirrored{}) {
		fmt.Fprintf(a.out, "mirrored: %d sent, %d failed, %d not sent\n", m.Sent, m.Failed, m.Dropped)
	}
	if len(s.Status.Left) > 0 {
		fmt.Fprintln(a.out, wrap("left alone, as they cannot be reached: "+strings.Join(s.Status.Left, " "), "  "))
	}
	return nil
}
