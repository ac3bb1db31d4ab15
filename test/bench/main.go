// Command bench measures cnet beside the floor (what the kernel charges) and
// beside other tools, each in a sandbox of its own. See docs/performance.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/sandbox"
	"github.com/cnetlab/cnet/internal/world"
)

func init() { runtime.LockOSThread() }

// options are the flags.
type options struct {
	quick  bool
	only   string
	rounds int
	write  bool
	from   string // raw figures of an earlier run
	worker string
}

func main() {
	sandbox.Main(func(ctx context.Context) error {
		_, err := world.Build(ctx)
		return err
	})
	var o options
	flag.BoolVar(&o.quick, "quick", false, "one round in small, without the peers: that it runs, not what it costs")
	flag.StringVar(&o.only, "only", "", "only the `scenarios` whose name begins so, separated by commas")
	flag.IntVar(&o.rounds, "rounds", 0, "how many `rounds` (default: as many as each scenario says)")
	flag.BoolVar(&o.write, "write", false, "rewrite the tables of "+page+" and the plots in "+plotIn)
	flag.StringVar(&o.from, "from", "", "show the raw figures in this `file`, and measure nothing")
	flag.StringVar(&o.worker, "worker", "", "for the program itself: be this `lane`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(int(fail.KindOf(err)))
	}
}

func run(ctx context.Context, o options) error {
	all := scenarios(o.quick)
	if o.worker != "" {
		l, err := laneOf(all, o.worker)
		if err != nil {
			return err
		}
		return work(l, os.Stdin, os.Stdout)
	}
	var chosen []scenario
	for _, s := range all {
		if o.rounds > 0 {
			s.rounds = o.rounds
		}
		if wanted(s.name, o.only) {
			chosen = append(chosen, s)
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("no scenario begins with %q; there are %s", o.only, strings.Join(names(all), ", "))
	}
	r, err := results(ctx, o, chosen)
	if err != nil {
		return err
	}
	z := sizesOf(o.quick)
	for _, s := range chosen {
		fmt.Println(r.grid(s).text())
	}
	fmt.Println(r.goals(z).text())
	fmt.Println(wrap(r.circumstances(), 80))
	if !o.write || o.quick || ctx.Err() != nil {
		return ctx.Err()
	}
	return write(r, chosen, z)
}

// results are those of an earlier run, or they are measured now and kept.
func results(ctx context.Context, o options, chosen []scenario) (*report, error) {
	if o.from != "" {
		return readReport(o.from)
	}
	r := newReport()
	for _, s := range chosen {
		err := compete(ctx, s, o, r)
		if ctx.Err() != nil {
			progress("interrupted; what there is by now:")
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	r.Machine.After = load()
	if o.quick {
		return r, r.save(trial)
	}
	return r, r.save(rawIn)
}

func wanted(name, only string) bool {
	for _, begin := range strings.Split(only, ",") {
		if strings.HasPrefix(name, begin) {
			return true
		}
	}
	return false
}

func names(all []scenario) (list []string) {
	for _, s := range all {
		list = append(list, s.name)
	}
	return list
}

// laneOf finds the lane SCENARIO/TOOL/X.
func laneOf(all []scenario, name string) (lane, error) {
	for _, s := range all {
		for _, l := range s.lanes {
			if s.name+"/"+l.tool+"/"+strconv.Itoa(l.x) == name {
				return l, nil
			}
		}
	}
	return lane{}, fmt.Errorf("there is no lane %s", name)
}
