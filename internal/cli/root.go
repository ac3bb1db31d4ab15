package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/engine"
	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/fault"
	"github.com/cnetlab/cnet/internal/keep"
)

// app is what all commands share: where they read and write, and the flags
// that mean the same everywhere.
type app struct {
	in       io.Reader
	out, err io.Writer

	output   string // "", json or yaml
	dryRun   bool
	explain  bool
	firewall string
	wait     time.Duration

	sockets map[string]keep.Sockets // of processes that a change will start
	grace   time.Duration           // for the connections of those that it ends; then it waits for them

	faults *fault.Points // where a test cuts a change off
	parsed bool          // the words of the command line were understood
}

// exit ends cnet with the exit code of a program that it ran.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// Run runs the command line args (without the program's name) and returns the
// exit code.
func Run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	a := &app{in: in, out: out, err: errs, wait: lockTimeout, sockets: make(map[string]keep.Sockets)}
	root := a.root(args)
	root.SetArgs(args)
	var err error
	if a.faults, err = fault.FromEnv(); err == nil {
		err = root.ExecuteContext(ctx)
	}
	var code exit
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case errors.Is(err, syscall.EPIPE):
		return int(fail.Failed) // nobody reads any more
	}
	if !a.parsed && wantsJSON(args) {
		a.output = "json"
	}
	return a.fail(err)
}

// wantsJSON looks for -o json in words that were not understood as a whole.
func wantsJSON(args []string) bool {
	line := " " + strings.Join(args, " ") + " "
	for _, flag := range []string{" -o json ", " -o=json ", " -ojson ", " --output json ", " --output=json "} {
		if strings.Contains(line, flag) {
			return true
		}
	}
	return false
}

// flagError leaves out what the parser of a value says of itself, and says what
// the value should be.
func flagError(c *cobra.Command, err error) error {
	why := err.Error()
	if strings.HasPrefix(why, "invalid argument") {
		why, _, _ = strings.Cut(why, " flag: ")
		name := strings.TrimSuffix(why[strings.LastIndex(why, "--")+2:], `"`)
		if f := c.Flags().Lookup(name); f != nil {
			why += wanted(f.Value.Type())
		}
	}
	return fail.New(fail.Usage, strings.TrimPrefix(c.CommandPath(), "cnet "), "%s", why).Try("%s --help", c.CommandPath())
}

// wanted says how a value of a flag's type is written.
func wanted(kind string) string {
	switch kind {
	case "duration":
		return ": a time has its unit, like 50ms or 2s"
	case "int", "uint16":
		return ": it is a whole number"
	}
	return ""
}

const long = `cnet builds container networking on this host from scratch and in the open:
network namespaces, veth pairs, a bridge, routes, NAT, published ports.
It says each step as a sentence and as the command that does the same by hand,
proves it, mends it, and takes it back without a trace.

  cnet demo                  the whole story, in a sandbox, as any user
  cnet network create lab
  cnet create web --network lab --publish 8080:80
  cnet exec -d web -- cnet serve --addr :80
  cnet probe --wait 5s http://127.0.0.1:8080
  cnet delete web`

// root is the command cnet. Where args begin with the name of a command, it has
// that one alone: to make all of them takes longer than most do their work.
func (a *app) root(args []string) *cobra.Command {
	root := &cobra.Command{
		Use:              "cnet",
		Short:            "Container networking from scratch, in the open",
		Long:             long,
		SilenceErrors:    true,
		SilenceUsage:     true,
		PersistentPreRun: func(*cobra.Command, []string) { a.parsed = true },
	}
	root.SetFlagErrorFunc(flagError)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	// The usage of every command fits a terminal of 80 columns.
	root.SetHelpFunc(func(c *cobra.Command, _ []string) {
		text := c.Long
		if text == "" {
			text = c.Short
		}
		fmt.Fprintf(c.OutOrStdout(), "%s\n\n%s", flow(strings.TrimSpace(text)), c.UsageString())
	})
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped 80"))
	root.AddGroup(&cobra.Group{ID: "build", Title: "Build:"}, &cobra.Group{ID: "look", Title: "Look:"},
		&cobra.Group{ID: "work", Title: "Run inside:"}, &cobra.Group{ID: "learn", Title: "Learn:"},
		&cobra.Group{ID: "more", Title: "More:"})
	root.SetHelpCommandGroupID("more")
	groups := commands()
	for _, g := range groups {
		for _, c := range g.commands {
			if len(args) > 0 && args[0] != c.name && known(groups, args[0]) {
				continue
			}
			made := c.make(a)
			made.GroupID = g.id
			root.AddCommand(made)
		}
	}
	a.addCompletions(root)
	nameArgs(root)
	return root
}

// nameArgs has every command say which command it is that has too few
// arguments, or too many.
func nameArgs(c *cobra.Command) {
	for _, sub := range c.Commands() {
		nameArgs(sub)
	}
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			err := check(c, args)
			if err == nil {
				return nil
			}
			why := "it " + strings.ReplaceAll(err.Error(), "arg(s)", "arguments")
			if strings.HasPrefix(err.Error(), "unknown command") { // as cobra says it of any argument too many
				why = "it takes no arguments"
			}
			return fail.New(fail.Usage, strings.TrimPrefix(c.CommandPath(), "cnet "), "%s", why).Try("%s", c.UseLine())
		}
	}
}

type group struct {
	id       string
	commands []entry
}

// entry is a command by its name, which is made when it is needed.
type entry struct {
	name string
	make func(*app) *cobra.Command
}

func commands() []group {
	return []group{
		{"build", []entry{
			{"create", newCreateCmd}, {"delete", newDeleteCmd}, {"connect", newConnectCmd}, {"disconnect", newDisconnectCmd},
			{"publish", newPublishCmd}, {"unpublish", newUnpublishCmd}, {"network", newNetworkCmd}, {"service", newServiceCmd}, {"sidecar", newSidecarCmd}, {"edge", newEdgeCmd}, {"label", newLabelCmd}, {"apply", newApplyCmd},
			{"repair", newRepairCmd}, {"up", newUpCmd}, {"down", newDownCmd}, {"reset", newResetCmd},
		}},
		{"look", []entry{
			{"list", newListCmd}, {"inspect", newInspectCmd}, {"check", newCheckCmd}, {"verify", newVerifyCmd},
			{"doctor", newDoctorCmd}, {"export", newExportCmd},
		}},
		{"work", []entry{{"exec", newExecCmd}, {"shell", newShellCmd}, {"ps", newPsCmd}, {"logs", newLogsCmd}, {"serve", newServeCmd}, {"probe", newProbeCmd}, {"load", newLoadCmd}, {"resolve", newResolveCmd}}},
		{"learn", []entry{{"demo", newDemoCmd}, {"sandbox", newSandboxCmd}}},
		{"more", []entry{{"version", newVersionCmd}, {"man", newManCmd}, {"keep", newKeepCmd}}},
	}
}

// known reports whether there is a command of that name.
func known(groups []group, name string) bool {
	return slices.ContainsFunc(groups, func(g group) bool {
		return slices.ContainsFunc(g.commands, func(c entry) bool { return c.name == name })
	})
}

// engine is the engine as the flags set it up.
func (a *app) engine() *engine.Engine {
	e := engine.New()
	if a.firewall != "" {
		e.Firewall = a.firewall
	} else if v := os.Getenv("CNET_FIREWALL"); v != "" {
		e.Firewall = v
	}
	e.Wait, e.At, e.Before = a.wait, a.faults.Reach, a.ready
	return e
}

// changeFlags are the flags of every command that changes something.
func (a *app) changeFlags(c *cobra.Command) {
	f := c.Flags()
	f.BoolVar(&a.dryRun, "dry-run", false, "print what would be done as a shell script, and do nothing")
	f.BoolVar(&a.explain, "explain", false, "say each step, why it is needed, and the command for it")
	a.lockFlag(c)
	a.outputFlag(c)
}

func (a *app) outputFlag(c *cobra.Command) {
	c.Flags().StringVarP(&a.output, "output", "o", "", "json or yaml, for scripts")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"json", "yaml"}, cobra.ShellCompDirectiveNoFileComp))
	inner := c.PreRunE
	c.PreRunE = func(c *cobra.Command, args []string) error {
		switch a.output {
		case "", "json", "yaml":
		default:
			return fail.New(fail.Usage, "-o "+a.output, "there is no such form of output").Try("-o json, or -o yaml")
		}
		if inner != nil {
			return inner(c, args)
		}
		return nil
	}
}

// fail shows an error and returns its exit code.
func (a *app) fail(err error) int {
	var f *fail.Error
	if !errors.As(err, &f) {
		f = &fail.Error{Kind: fail.Failed, Why: err.Error()}
		if errors.Is(err, context.Canceled) {
			f.Why = "interrupted; nothing was changed"
		}
		if !a.parsed {
			f.Kind, f.Next = fail.Usage, "cnet --help"
			if why, meant, found := strings.Cut(f.Why, "Did you mean this?"); found {
				f.Why, f.Next = strings.TrimSpace(why), "cnet "+strings.Join(strings.Fields(meant), ", or cnet ")
			}
		}
	}
	if a.output == "json" {
		_ = json.NewEncoder(a.out).Encode(map[string]any{"error": map[string]any{
			"code": int(f.Kind), "what": f.What, "why": f.Why, "next": f.Next,
		}})
		return int(f.Kind)
	}
	fmt.Fprintln(a.err, wrap("cnet: "+oneLine(f.Error()), "  "))
	if f.Next != "" {
		fmt.Fprintln(a.err, wrap("  try: "+f.Next, "       "))
	}
	return int(f.Kind)
}

// oneLine folds line breaks of a cause into the sentence.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
