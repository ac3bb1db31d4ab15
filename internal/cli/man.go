package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newManCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Short:   "Write the man pages",
		Long:    "Write the man pages, one for each command, as files of section 1 into the folder\nDIR. The same cnet always writes the same pages.",
		Example: "  cnet man /usr/local/share/man/man1",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("write man pages: %w", err)
			}
			return writeManPages(args[0], a.root(nil))
		},
	}
}

// writeManPages writes the page of a command and of those below it.
func writeManPages(dir string, c *cobra.Command) error {
	path := filepath.Join(dir, pageName(c)+".1")
	if err := os.WriteFile(path, []byte(manPage(c)), 0o644); err != nil {
		return fmt.Errorf("write man pages: %w", err)
	}
	for _, sub := range c.Commands() {
		if !sub.IsAvailableCommand() {
			continue
		}
		if err := writeManPages(dir, sub); err != nil {
			return err
		}
	}
	return nil
}

func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// manPage is a command's page in the language of man(7). It bears no date, so
// that the same source makes the same page.
func manPage(c *cobra.Command) string {
	var p page
	fmt.Fprintf(&p, ".TH %q 1 \"\" %q \"User Commands\"\n", roff(strings.ToUpper(pageName(c))), roff("cnet "+buildVersion()))
	p.section("NAME", roff(pageName(c))+` \- `+roff(c.Short)+"\n")
	p.section("SYNOPSIS", ".B "+roff(synopsis(c))+"\n")
	p.section("DESCRIPTION", prose(description(c)))
	p.section("COMMANDS", subcommands(c))
	p.section("OPTIONS", options(c))
	if c.Example != "" {
		p.section("EXAMPLES", prose(c.Example))
	}
	if !c.HasParent() {
		p.section("EXIT STATUS", tagged(exitCodes))
		p.section("ENVIRONMENT", tagged(environment))
		p.section("FILES", tagged(files))
	}
	p.section("SEE ALSO", related(c))
	return p.String()
}

// page is the text of a page.
type page struct{ strings.Builder }

func (p *page) section(title, body string) {
	if body != "" {
		fmt.Fprintf(p, ".SH %s\n%s", title, body)
	}
}

func synopsis(c *cobra.Command) string {
	if c.Runnable() && !c.HasAvailableSubCommands() {
		return c.UseLine()
	}
	return c.CommandPath() + " COMMAND"
}

func description(c *cobra.Command) string {
	if c.Long != "" {
		return c.Long
	}
	return c.Short + "."
}

func subcommands(c *cobra.Command) string {
	var list [][2]string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			list = append(list, [2]string{sub.CommandPath(), sub.Short})
		}
	}
	return tagged(list)
}

func options(c *cobra.Command) string {
	var list [][2]string
	c.InitDefaultHelpFlag()
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			list = append(list, option(f))
		}
	})
	return tagged(list)
}

func option(f *pflag.Flag) [2]string {
	name := "--" + f.Name
	if f.Shorthand != "" {
		name = "-" + f.Shorthand + ", " + name
	}
	kind, usage := pflag.UnquoteUsage(f)
	if kind = strings.TrimSuffix(kind, "Array"); kind != "" {
		name += " " + strings.ToUpper(kind)
	}
	switch f.DefValue {
	case "", "0", "0s", "[]", "false":
	default:
		usage += " (default " + f.DefValue + ")"
	}
	return [2]string{name, usage}
}

// related names the pages of the commands above and of the root's below.
func related(c *cobra.Command) string {
	var pages []string
	for up := c.Parent(); up != nil; up = up.Parent() {
		pages = append([]string{pageName(up) + "(1)"}, pages...)
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			pages = append(pages, pageName(sub)+"(1)")
		}
	}
	pages = append(pages, "ip(8)", "network_namespaces(7)")
	return roff(strings.Join(pages, ", ")) + "\n"
}

var exitCodes = [][2]string{
	{"0", "It is done, or there was nothing to do."},
	{"1", "It failed, and what was begun was rolled back."},
	{"2", "The command line or a file is wrong."},
	{"3", "A named container, network or file does not exist."},
	{"4", "A name, address, port or subnet is taken."},
	{"5", "The lock was not had in time: another cnet is changing something."},
	{"6", "Facts do not hold (cnet check)."},
	{"7", "The user may not do this."},
	{"8", "The host lacks a program or a kernel feature."},
	{"126, 127", "cnet exec: the program cannot be executed, or is not there. Else the exit status of cnet exec and cnet shell is the program's."},
}

var environment = [][2]string{
	{"CNET_FIREWALL", "The firewall backend of new networks: iptables, nftables or auto. The flag --firewall goes before it."},
	{"CNET_LOCK_TIMEOUT", "How long to wait for another cnet: 30s, 2m, 0 for not at all; 10s if it is not set. The flag --lock-timeout goes before it."},
	{"CNET_CONTAINER", "Set by cnet exec and cnet shell: the name of the container."},
	{"NO_COLOR", "If set, nothing is coloured."},
}

var files = [][2]string{
	{"/var/lib/cnet", "What was asked for: a file for each network and container."},
	{"/run/cnet", "What was made since the last boot; the lock; the logs of cnet exec -d."},
	{"/run/netns/NAME", "A container's network namespace, as ip netns knows it."},
	{"/etc/netns/NAME", "Its own files of /etc."},
}
