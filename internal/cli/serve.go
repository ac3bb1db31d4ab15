package cli

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/serve"
	"github.com/cnetlab/cnet/internal/sockets"
)

type serveFlags struct {
	name     string
	addr     string
	udp      bool
	backlog  int
	noAccept bool
	reuse    bool
	failRate int
	latency  time.Duration
	explain  bool
	quiet    bool
}

func newServeCmd(a *app) *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run a small web server that says who it is",
		Long: `Run a small web server on plain sockets. It answers its own name and the client's
address as it saw it, and ends with SIGINT or SIGTERM. It listens in the network
namespace that it is started in, be it the host's or, by cnet exec, a container's.
It writes a line for each request, and with --explain each system call and why it
is made.

With --fail-rate so many of a hundred requests, by chance, get the status 500 or,
of datagrams, no answer. --latency holds back each answer, those too.`,
		Example: `  cnet exec -d web -- cnet serve --addr :80
  cnet serve --addr 127.0.0.1:8080 --explain
  cnet serve --fail-rate 20 --latency 50ms
  cnet serve --no-accept --backlog 1`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.server(f)
			if err != nil {
				return err
			}
			if err := s.Listen(); err != nil {
				return err
			}
			if !f.quiet {
				fmt.Fprintf(a.out, "%s listens on %s\n", s.Name, s.Local())
			}
			return s.Run(c.Context())
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.name, "name", "", "what it calls itself (default: the container's name, or the host's)")
	fl.StringVar(&f.addr, "addr", ":8080", "`HOST:PORT` to listen on; without HOST all addresses")
	fl.BoolVar(&f.udp, "udp", false, "answer datagrams instead of connections")
	fl.IntVar(&f.backlog, "backlog", 0, "length of the queue of connections not yet accepted (default 128)")
	fl.BoolVar(&f.noAccept, "no-accept", false, "never accept: leave clients in that queue, as a program does that hangs")
	fl.BoolVar(&f.reuse, "reuse-port", false, "share the port with other servers that say so too (SO_REUSEPORT)")
	fl.IntVar(&f.failRate, "fail-rate", 0, "`percentage` of requests that fail")
	fl.DurationVar(&f.latency, "latency", 0, "how long each answer is held back, like 50ms")
	fl.BoolVar(&f.explain, "explain", false, "say each system call and why it is made")
	fl.BoolVar(&f.quiet, "quiet", false, "write nothing about requests")
	return c
}

func (a *app) server(f serveFlags) (*serve.Server, error) {
	if f.name == "" {
		f.name = os.Getenv(sockets.ContainerVariable)
	}
	if f.name == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("serve: %w", err)
		}
		f.name = host
	}
	s := &serve.Server{
		Name: f.name, Addr: f.addr, UDP: f.udp, Backlog: f.backlog, NoAccept: f.noAccept, Reuse: f.reuse,
		FailRate: f.failRate, Latency: f.latency,
	}
	if f.explain {
		s.Explain = a.err
	}
	if !f.quiet {
		s.Log = a.out
	}
	return s, nil
}
