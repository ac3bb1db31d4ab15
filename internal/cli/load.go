package cli

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/inside"
	"github.com/cnetlab/cnet/internal/probe"
)

type loadFlags struct {
	requests, workers int
	rate              float64
	duration, timeout time.Duration
	headers           []string
	keepAlive         bool
}

func newLoadCmd(a *app) *cobra.Command {
	var f loadFlags
	c := &cobra.Command{
		Use:   "load [FROM] TARGET",
		Short: "Ask a server many times at once, and count what comes of it",
		Long: `Ask a server many times, from the host or from inside the container FROM, and
count the outcomes: by who answered (a server of cnet's says its name), by the
status of HTTP, and by the errno of what went wrong. TARGET is as for cnet probe:
http://HOST[:PORT][/PATH], HOST:PORT for TCP handshakes alone, or udp://HOST:PORT.

With --rate a request waits for its turn, and longer if all that ask at once are
busy: a slow server is asked less often. How long it took is counted from when it
was asked. A connection that the server closes between two requests is no error;
one that breaks off with a request under way is, and is not asked again.

Ends when the requests are done, when the time is over, or with Ctrl-C, and then
tells what it counted, with how long requests took. The exit code is 0 if all were
answered, and none with a status of 500 or more; otherwise 1.`,
		Example: `  cnet load http://127.0.0.1:8080 -n 1000 -c 10
  cnet load web http://10.77.0.3 --rate 100 --duration 10s
  cnet load http://127.0.0.1:8080 --header 'Host: shop.test' --keep-alive`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			target, err := probe.Parse(args[len(args)-1])
			if err != nil {
				return err
			}
			if err := positive(c, "requests", "duration", "rate"); err != nil {
				return err
			}
			o, err := f.options(target)
			if err != nil {
				return err
			}
			if len(args) == 2 {
				return a.loadFrom(c.Context(), args[0], target, f)
			}
			l := o.Run(c.Context(), target)
			return a.probed(l, l.Text(), l.OK())
		},
	}
	fl := c.Flags()
	fl.IntVarP(&f.requests, "requests", "n", 0, "how many in all (default 1000, or with --duration as many as there is time for)")
	fl.IntVarP(&f.workers, "concurrency", "c", 10, "how many at once")
	fl.Float64Var(&f.rate, "rate", 0, "how many a second, of all together (default as fast as they are answered)")
	fl.DurationVar(&f.duration, "duration", 0, "after how long no more begin")
	fl.DurationVar(&f.timeout, "timeout", probe.DefaultTimeout, "how long one may take")
	fl.StringArrayVar(&f.headers, "header", nil, "a `header` of each request, like 'Host: shop.test'")
	fl.BoolVar(&f.keepAlive, "keep-alive", false, "ask over as many connections as ask at once, while they stand")
	a.outputFlag(c)
	return c
}

func (f loadFlags) options(t probe.Target) (o probe.LoadOptions, err error) {
	if err := f.check(t); err != nil {
		return o, err
	}
	o = probe.LoadOptions{Options: probe.Options{Timeout: f.timeout}, Requests: f.requests, Workers: f.workers, Rate: f.rate, Duration: f.duration, Stays: f.keepAlive}
	if o.Requests == 0 && o.Duration == 0 {
		o.Requests = 1000
	}
	o.Header, err = parseHeaders(f.headers)
	return o, err
}

func (f loadFlags) check(t probe.Target) error {
	bad := func(what, why, try string) error { return fail.New(fail.Usage, what, "%s", why).Try("%s", try) }
	switch {
	case f.requests < 0:
		return bad(fmt.Sprintf("--requests %d", f.requests), "they are counted from 1", "-n 1000")
	case f.workers < 1 || f.workers > 10000:
		return bad(fmt.Sprintf("--concurrency %d", f.workers), "it is counted from 1, to 10000", "-c 10")
	case f.rate != 0 && !(f.rate >= 0.001 && f.rate <= 1e6): // NaN is neither
		return bad(fmt.Sprintf("--rate %v", f.rate), "it is how many a second, from 0.001 to a million", "--rate 100")
	case f.duration < 0:
		return bad("--duration "+f.duration.String(), "it must be longer than 0", "--duration 10s")
	case f.timeout <= 0:
		return bad("--timeout "+f.timeout.String(), "it must be longer than 0", "--timeout 2s")
	case t.Scheme != probe.HTTP && (f.keepAlive || len(f.headers) > 0):
		return bad("load", "--header and --keep-alive go with a target of http", "cnet load --keep-alive http://HOST")
	}
	return nil
}

// parseHeaders reads NAME: VALUE, where NAME is a token of RFC 9110, section
// 5.6.2.
func parseHeaders(list []string) (http.Header, error) {
	header := make(http.Header)
	for _, h := range list {
		name, value, ok := strings.Cut(h, ":")
		if !ok || name == "" || strings.ContainsFunc(name, noToken) || strings.ContainsAny(value, "\r\n\x00") {
			return nil, fail.New(fail.Usage, fmt.Sprintf("header %q", h), "it is not of the form NAME: VALUE").Try("--header 'Host: shop.test'")
		}
		header.Add(name, strings.TrimSpace(value))
	}
	return header, nil
}

func noToken(c rune) bool {
	return c <= ' ' || c > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
}

// loadFrom starts over inside a container, as probeFrom does.
func (a *app) loadFrom(ctx context.Context, from string, target probe.Target, f loadFlags) error {
	if err := a.enter(ctx, from, nil, ""); err != nil {
		return err
	}
	args := []string{
		"cnet", "load", "--concurrency", strconv.Itoa(f.workers), "--timeout", f.timeout.String(),
		"--keep-alive=" + strconv.FormatBool(f.keepAlive), "--output", a.output,
	}
	if f.requests > 0 {
		args = append(args, "--requests", strconv.Itoa(f.requests))
	}
	if f.rate > 0 {
		args = append(args, "--rate", fmt.Sprint(f.rate))
	}
	if f.duration > 0 {
		args = append(args, "--duration", f.duration.String())
	}
	for _, h := range f.headers {
		args = append(args, "--header", h)
	}
	return inside.Exec("/proc/self/exe", append(args, "--", target.String()))
}
