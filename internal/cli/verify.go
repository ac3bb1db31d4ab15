package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/internal/verify"
	"github.com/cnetlab/cnet/pkg/fact"
)

type verifyFlags struct {
	from    string
	names   []string
	verbose bool
	sample  int
	seed    int64
	verify.Options
}

func newVerifyCmd(a *app) *cobra.Command {
	var f verifyFlags
	c := &cobra.Command{
		Use:   "verify [NAME... | --sample N]",
		Short: "Prove with packets who reaches whom, and who does not",
		Long: `Derive from the topology what is promised (who reaches whom, on which ports, from
where, and who must not), try all of it at once with real packets, and show a
table. With names, only what is about these containers or services. With --sample, only what
is promised among so many of them, chosen by chance: of thousands all is more than
a kernel has room for at once. --seed chooses the same again. Where nobody listens,
cnet does, for the time of the run. A neighbour of the host, outside, is made
for it, and taken away. The exit code is 6 when a promise is broken.

In the table, yes is reached and - is closed, both as promised; part is some of
each (a container in two networks). NO is not reached and OPEN is not closed,
though promised. Of ? nothing could be proven, and of . nothing is promised.

What you expect beyond that stands in a topology file, under expect.`,
		Example: `  cnet verify
  cnet verify web --from outside
  cnet verify --sample 20
  cnet verify -o json`,
		RunE: func(c *cobra.Command, args []string) error {
			f.names = args
			if f.seed == 0 {
				f.seed = time.Now().UnixNano() % 1_000_000
			}
			if err := f.check(); err != nil {
				return err
			}
			return a.verify(c.Context(), f)
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.from, "from", "", "only what is tried from a container, the host or outside")
	fl.IntVar(&f.sample, "sample", 0, "only so many `containers`, chosen by chance")
	fl.Int64Var(&f.seed, "seed", 0, "the `number` that a sample is chosen by (default: by the clock)")
	fl.DurationVar(&f.Timeout, "timeout", 3*time.Second, "how long an answer may take that is promised")
	fl.DurationVar(&f.Silence, "silence", 500*time.Millisecond, "after how long no answer means that there is none")
	fl.DurationVar(&a.wait, "lock-timeout", lockTimeout, "how long to wait for another cnet")
	fl.BoolVarP(&f.verbose, "verbose", "v", false, "show each promise")
	_ = c.RegisterFlagCompletionFunc("from", cobra.FixedCompletions([]string{"container", "host", "outside"}, cobra.ShellCompDirectiveNoFileComp))
	a.outputFlag(c)
	return c
}

func (f verifyFlags) check() error {
	switch f.from {
	case "", "container", topology.TheHost, topology.TheOutside:
	default:
		return fail.New(fail.Usage, "--from "+f.from, "there is no such place").Try("--from container, --from host or --from outside")
	}
	switch {
	case f.sample < 0:
		return fail.New(fail.Usage, fmt.Sprintf("--sample %d", f.sample), "a sample is of at least one container")
	case f.sample > 0 && len(f.names) > 0:
		return fail.New(fail.Usage, "--sample", "name the containers, or have them chosen, not both")
	}
	for flag, d := range map[string]time.Duration{"--timeout": f.Timeout, "--silence": f.Silence} {
		if d <= 0 {
			return fail.New(fail.Usage, flag+" "+d.String(), "it must be longer than 0").Try("%s 2s", flag)
		}
	}
	return nil
}

// verify tries the promises while the host stands still and an outside stands
// beside it.
func (a *app) verify(ctx context.Context, f verifyFlags) error {
	var host verify.Host
	var list []verify.Promise
	var results []verify.Result
	scene := func(ctx context.Context, t topology.Topology) ([]fact.Fact, error) {
		names, err := f.places(t)
		if err != nil {
			return nil, err
		}
		if n := len(t.Containers); f.sample > 0 {
			t = t.Sample(f.sample, f.seed)
			fmt.Fprintf(a.err, "cnet: a sample of %d of %s (--seed %d)\n", len(t.Containers), count(n, "container"), f.seed)
		}
		if host, err = verify.Look(ctx, t); err != nil {
			return nil, err
		}
		list = f.asked(verify.Derive(t, host, names...), names)
		if len(list) == 0 {
			return nil, nil
		}
		return host.Stage(), nil
	}
	e := a.engine()
	e.Watch = a.watcher()
	err := e.Aside(ctx, typed(), scene, func(ctx context.Context) (err error) {
		if len(list) > 0 {
			host.Await(ctx, f.Timeout)
		}
		if results, err = verify.Run(ctx, list, f.Options); err != nil {
			return fail.New(fail.Failed, "verify", "interrupted; what was set up for it is taken back")
		}
		return nil
	})
	if err != nil {
		return err
	}
	return a.showResults(results, f.verbose)
}

// places are the containers and services that names mean: a container that shares
// another's namespace is there.
func (f verifyFlags) places(t topology.Topology) (names []string, err error) {
	for _, name := range f.names {
		if _, err := t.Service(name); err == nil {
			names = append(names, verify.ServiceNamed(name))
			continue
		}
		c, err := t.Container(name)
		if err != nil {
			return nil, err
		}
		if c.Share != "" {
			name = c.Share
		}
		names = append(names, name)
	}
	return names, nil
}

func (f verifyFlags) asked(all []verify.Promise, names []string) (list []verify.Promise) {
	for _, p := range all {
		if p.About(names) && (f.from == "" || f.from == p.Vantage()) {
			list = append(list, p)
		}
	}
	return list
}

// showResults shows the matrix, and below it what is broken and what could not
// be proven.
func (a *app) showResults(results []verify.Result, verbose bool) error {
	n := verify.Tally(results)
	if a.output != "" {
		if err := a.data(resultsView(results)); err != nil {
			return err
		}
	} else if err := a.showMatrix(results, verbose); err != nil {
		return err
	}
	if n[verify.Broken] == 0 {
		return nil
	}
	if a.output == "" {
		fmt.Fprintf(a.err, "cnet: %d of %s not kept\n  try: cnet check\n", n[verify.Broken], count(len(results), "promise"))
	}
	return exit(fail.Unmet)
}

func (a *app) showMatrix(results []verify.Result, verbose bool) error {
	if len(results) == 0 {
		_, err := fmt.Fprintln(a.out, "nothing is promised: no container is connected to a network")
		return err
	}
	for _, block := range blocks(verify.Matrix(results)) {
		if err := table(a.out, block); err != nil {
			return err
		}
		fmt.Fprintln(a.out)
	}
	states := []string{verify.Unproven, verify.Broken}
	if verbose {
		states = []string{verify.Kept, verify.Unproven, verify.Broken}
	}
	for _, state := range states {
		groups := verify.Groups(results, state)
		for i, g := range groups {
			a.showGroup(g)
			if i+1 == len(groups) || groups[i+1].Hint != g.Hint { // once for all of one cause
				a.showHint(g.Hint)
			}
		}
	}
	n := verify.Tally(results)
	switch {
	case n[verify.Broken] > 0:
	case n[verify.Unproven] > 0:
		fmt.Fprintf(a.out, "none broken: %s kept, %d not provable\n", count(n[verify.Kept], "promise"), n[verify.Unproven])
	default:
		fmt.Fprintf(a.out, "all kept: %s\n", count(len(results), "promise"))
	}
	return nil
}

// showGroup tells a promise and, if it is not kept, what was met instead.
func (a *app) showGroup(g verify.Group) {
	label, outcome := g.State, g.Why
	switch {
	case g.State == verify.Unproven:
		label = "unknown"
	case g.State == verify.Kept:
		outcome = map[bool]string{true: "it answers", false: "no answer"}[g.Reach]
	case g.Errno != "":
		outcome = g.Errno + ", " + g.Why
	}
	if g.Own {
		outcome += " (your own expectation)"
	}
	say := g.Say() + ": " + outcome
	fmt.Fprintln(a.out, labelled(label, say+"."))
}

func (a *app) showHint(hint string) {
	if hint != "" {
		fmt.Fprintln(a.out, labelled("", hint))
	}
}

// blocks cuts a table into tables that fit the width, each with the first column.
func blocks(rows [][]string) (list [][][]string) {
	const gap = 2
	wide := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, text := range row {
			wide[i] = max(wide[i], len(text)+gap)
		}
	}
	for from := 1; from < len(wide); {
		to, sum := from+1, wide[0]+wide[from]
		for to < len(wide) && sum+wide[to] <= width+gap {
			sum += wide[to]
			to++
		}
		var block [][]string
		for _, row := range rows {
			block = append(block, append([]string{row[0]}, row[from:to]...))
		}
		list = append(list, block)
		from = to
	}
	return list
}

type promiseView struct {
	From      string `json:"from"`
	To        string `json:"to"`
	Address   string `json:"address"`
	Port      uint16 `json:"port,omitempty"`
	AnyPort   bool   `json:"any_port,omitempty"` // the port stands for all
	Proto     string `json:"proto"`
	Published string `json:"published,omitempty"`
	Reach     bool   `json:"reach"`
	Expected  bool   `json:"expected,omitempty"` // by the user, in the topology file
	State     string `json:"state"`
	Errno     string `json:"errno,omitempty"`
	Why       string `json:"why,omitempty"`
	Hint      string `json:"hint,omitempty"`
}

type verifyView struct {
	Kept     int           `json:"kept"`
	Broken   int           `json:"broken"`
	Unproven int           `json:"unproven"`
	Promises []promiseView `json:"promises"`
}

func resultsView(results []verify.Result) verifyView {
	n := verify.Tally(results)
	v := verifyView{n[verify.Kept], n[verify.Broken], n[verify.Unproven], make([]promiseView, 0, len(results))}
	for _, r := range results {
		v.Promises = append(v.Promises, promiseView{
			From: r.From, To: r.To, Address: r.Addr.String(), Port: r.Port, AnyPort: r.Port == verify.AnyPort,
			Proto: r.Proto, Published: r.Published, Reach: r.Reach, Expected: r.Own,
			State: r.State, Errno: r.Errno, Why: r.Why, Hint: r.Hint,
		})
	}
	return v
}
