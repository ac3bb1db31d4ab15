package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/inside"
	"github.com/cnetlab/cnet/internal/proc"
	"github.com/cnetlab/cnet/internal/sockets"
)

type execFlags struct {
	detach  bool
	keep    bool
	env     []string
	workdir string
}

func newExecCmd(a *app) *cobra.Command {
	var f execFlags
	c := &cobra.Command{
		Use:   "exec [-d] NAME -- CMD [ARG...]",
		Short: "Run a program inside a container",
		Long: `Run a program inside a container's network namespace, with the container's own
/etc/hosts and /etc/resolv.conf, as ip netns exec does. Files, processes and
users are the host's. The program takes the place of cnet, so its exit code,
signals and terminal are its own. 126 means that it cannot be executed, 127 that
it is not there. In its environment, CNET_CONTAINER is the container's name, and the
services of its networks have variables as in Kubernetes (WEB_SERVICE_HOST,
WEB_SERVICE_PORT, WEB_PORT_80_TCP_ADDR ...), as they are when it starts.

With -d it runs in the background: in a session of its own, with no input, and
its output in a log that cnet logs shows. It ends when its container is deleted.
With --keep, cnet check tells if it has ended, and cnet repair starts it again.`,
		Example: `  cnet exec web -- ip address
  cnet exec web -- ping -c 1 10.77.0.1
  cnet exec -d web -- cnet serve --addr :80`,
		RunE: func(c *cobra.Command, args []string) error {
			name, argv, err := splitExec(args)
			if err != nil {
				return err
			}
			if a.output != "" && !f.detach {
				return fail.New(fail.Usage, "-o "+a.output, "it goes with -d: without it the output is the program's")
			}
			if f.keep && !f.detach {
				return fail.New(fail.Usage, "--keep", "it goes with -d: what runs in the foreground is yours to keep")
			}
			if err := a.enter(c.Context(), name, f.env, f.workdir); err != nil {
				return err
			}
			if f.detach {
				return a.start(c.Context(), name, argv, proc.How{Keep: f.keep, Env: f.env, Dir: f.workdir})
			}
			return replace(argv)
		},
	}
	fl := c.Flags()
	fl.SetInterspersed(false) // what stands after NAME is the program's
	fl.BoolVarP(&f.detach, "detach", "d", false, "run it in the background, and print its process number")
	fl.BoolVar(&f.keep, "keep", false, "have cnet repair start it again if it ends; with -d")
	fl.StringArrayVarP(&f.env, "env", "e", nil, "set a variable to `NAME=VALUE` (may be given again)")
	fl.StringVarP(&f.workdir, "workdir", "w", "", "`folder` to run it in")
	a.outputFlag(c)
	return c
}

// splitExec splits NAME [--] CMD [ARG...].
func splitExec(args []string) (name string, argv []string, err error) {
	const form = "cnet exec web -- ip address"
	if len(args) == 0 {
		return "", nil, fail.New(fail.Usage, "exec", "name a container and a program").Try(form)
	}
	name, argv = args[0], args[1:]
	switch {
	case len(argv) > 0 && argv[0] == "--":
		argv = argv[1:]
	case len(argv) > 0 && strings.HasPrefix(argv[0], "-"):
		return "", nil, fail.New(fail.Usage, "exec "+name, "flags stand before the container's name").
			Try("cnet exec %s %s -- CMD", argv[0], name)
	}
	if len(argv) == 0 || argv[0] == "" {
		return "", nil, fail.New(fail.Usage, "exec "+name, "name a program to run").Try(form)
	}
	return name, argv, nil
}

// enter brings this process into a container, with its environment and folder.
func (a *app) enter(ctx context.Context, name string, env []string, workdir string) error {
	t, err := a.engine().Topology()
	if err != nil {
		return err
	}
	if _, err := t.Container(name); err != nil {
		return err
	}
	own := append(t.Environment(name), sockets.ContainerVariable+"="+name)
	for _, e := range append(own, env...) {
		key, value, ok := strings.Cut(e, "=")
		if !ok || os.Setenv(key, value) != nil {
			return fail.New(fail.Usage, "--env "+e, "a variable is written NAME=VALUE").Try("--env GREETING=hello")
		}
	}
	notes, err := inside.Enter(name)
	if errors.Is(err, inside.ErrNoNamespace) {
		notes, err = a.enterLater(ctx, name, err)
	}
	if err != nil {
		return err
	}
	for _, n := range notes {
		fmt.Fprintln(a.err, wrap("cnet: "+n, "  "))
	}
	if workdir == "" {
		return nil
	}
	if err := os.Chdir(workdir); err != nil {
		return fail.New(fail.NotFound, "--workdir "+workdir, "%w", errors.Unwrap(err))
	}
	return nil
}

// enterLater enters a container whose namespace was not there, when a change
// that may be making or deleting it is done.
func (a *app) enterLater(ctx context.Context, name string, missing error) ([]string, error) {
	if err := a.await(ctx, a.wait); err != nil {
		if fail.KindOf(err) == fail.Locked {
			return nil, err
		}
		return nil, missing
	}
	if err := a.exists(name); err != nil {
		return nil, err
	}
	return inside.Enter(name)
}

func (a *app) exists(name string) error {
	t, err := a.engine().Topology()
	if err == nil {
		_, err = t.Container(name)
	}
	return err
}

// replace has a program take this process's place.
func replace(argv []string) error {
	path, err := inside.Find(argv[0])
	if err != nil {
		return err
	}
	return inside.Exec(path, argv)
}

// start starts a program in the background.
func (a *app) start(ctx context.Context, name string, argv []string, how proc.How) error {
	p, err := proc.Start(name, argv, how)
	if err != nil {
		return err
	}
	if err := a.exists(name); err != nil { // deleted meanwhile by one who did not see the process
		return errors.Join(err, proc.End(ctx, name, false), a.clear(ctx))
	}
	if a.output != "" {
		return a.data(struct {
			PID     int      `json:"pid" yaml:"pid"`
			Log     string   `json:"log" yaml:"log"`
			Command []string `json:"command" yaml:"command"`
		}{p.PID, p.Log, p.Command})
	}
	_, err = fmt.Fprintln(a.out, p.PID)
	return err
}
