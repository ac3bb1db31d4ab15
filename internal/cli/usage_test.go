package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// command runs a command line in this process.
func command(args ...string) (out, errs string, code int) {
	var stdout, stderr bytes.Buffer
	code = Run(context.Background(), args, strings.NewReader(""), &stdout, &stderr)
	return stdout.String(), stderr.String(), code
}

func TestServeAndProbeRefuse(t *testing.T) {
	for _, c := range []struct {
		args string
		want string
	}{
		{"serve --fail-rate 101", "from 0 to 100"},
		{"serve --fail-rate -1", "from 0 to 100"},
		{"serve --latency -1s", "cannot be negative"},
		{"serve --fail-rate 20%", "it is a whole number"},
		{"serve --fail-rate 0.5", "it is a whole number"},
		{"serve --latency 50", "a time has its unit, like 50ms"},
		{"serve --latency soon", "a time has its unit"},
		{"serve --backlog -1", "cannot be negative"},
		{"serve --addr 80", "HOST:PORT"},
		{"serve --addr :70000", "0 to 65535"},
		{"serve --addr localhost:80", "not to a name"},
		{"serve here", "takes no arguments"},
		{"probe", "arg"},
		{"probe a b c", "arg"},
		{"probe web", "the port is missing"},
		{"probe nobody web", "the port is missing"},
		{"probe https://web", "https is not supported"},
		{"probe web:0", "from 1 to 65535"},
		{"probe web:80 --timeout 0s", "longer than 0"},
		{"probe web:80 -o xml", "no such form of output"},
		{"resolve c1 -t NONSENSE", "there is no type"},
		{"load", "arg"},
		{"load web:80 -n 0", "--requests 0: it must be more than 0"},
		{"load web:80 --duration 0s", "--duration 0s: it must be more than 0"},
		{"probe web:80 --count 0", "--count 0: it must be more than 0"},
		{"edge start --listen :80 --max-connections 0", "it must be more than 0"},
		{"service create web --check tcp --failures 0", "it must be more than 0"},
		{"service ramp web v2", "--to is missing"},
		{"load a b c", "arg"},
		{"load web", "the port is missing"},
		{"load web:80 -n -1", "--requests -1: they are counted from 1"},
		{"load web:80 -c 0", "--concurrency 0: it is counted from 1"},
		{"load web:80 -c 10001", "to 10000"},
		{"load web:80 --rate -1", "--rate -1: it is how many a second"},
		{"load web:80 --rate NaN", "--rate NaN"},
		{"load web:80 --rate Inf", "--rate +Inf"},
		{"load web:80 --rate 1e-300", "from 0.001"},
		{"load web:80 --duration -1s", "--duration -1s: it must be longer than 0"},
		{"load web:80 --duration 5", "a time has its unit"},
		{"load web:80 --timeout 0s", "--timeout 0s: it must be longer than 0"},
		{"load web:80 --keep-alive", "go with a target of http"},
		{"load http://web --header nonsense", "NAME: VALUE"},
		{"load http://web --header :x", "NAME: VALUE"},
		{"load http://web --header a(b:x", "NAME: VALUE"},
		{"load http://web -o xml", "no such form of output"},
		{"shell", "arg"},
		{"completion tcsh", "none for that shell"},
		{"man", "arg"},
		{"version now", "takes no arguments"},
	} {
		out, errs, code := command(strings.Fields(c.args)...)
		if code != 2 || out != "" || !strings.Contains(strings.Join(strings.Fields(errs), " "), c.want) {
			t.Errorf("cnet %s: exit %d, want 2\n%q\n%q, want %q", c.args, code, out, errs, c.want)
		}
	}
}

func TestVersion(t *testing.T) {
	out, _, code := command("version", "-o", "json")
	for _, want := range []string{`"version": "`, `"kernel": "`, `"go": "go`} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("exit %d, no %s in %s", code, want, out)
		}
	}
}

func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if out, errs, code := command("completion", shell); code != 0 || !strings.Contains(out, "cnet") {
			t.Errorf("completion %s: exit %d %s", shell, code, errs)
		}
	}
}

// Every place that is completed must exist, or it was renamed.
func TestCompletionPlaces(t *testing.T) {
	root := (&app{}).root(nil)
	for path := range places {
		c, rest, err := root.Find(strings.Fields(path))
		if err != nil || len(rest) > 0 || c.ValidArgsFunction == nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestManPages(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	for _, dir := range []string{one, two} {
		if _, errs, code := command("man", dir); code != 0 {
			t.Fatal(errs)
		}
	}
	n := 0
	everyCommand((&app{}).root(nil), func(c *cobra.Command) {
		n++
		name := pageName(c) + ".1"
		a, err := os.ReadFile(filepath.Join(one, name))
		if err != nil {
			t.Error(err)
			return
		}
		if b, err := os.ReadFile(filepath.Join(two, name)); err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs from one writing to the next", name)
		}
	})
	if files, _ := os.ReadDir(one); len(files) != n {
		t.Errorf("%d pages for %d commands", len(files), n)
	}
	page, err := os.ReadFile(filepath.Join(one, "cnet.1"))
	if err != nil || !strings.Contains(string(page), ".SH EXIT STATUS") {
		t.Errorf("cnet(1) does not tell the exit codes: %v", err)
	}
}

func everyCommand(c *cobra.Command, each func(*cobra.Command)) {
	each(c)
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			everyCommand(sub, each)
		}
	}
}

// TestHelpFits: the help of every command fits a terminal of 80 columns.
func TestHelpFits(t *testing.T) {
	var out bytes.Buffer
	everyCommand((&app{out: &out, err: &out}).root(nil), func(c *cobra.Command) {
		out.Reset()
		if err := c.Help(); err != nil || out.Len() == 0 {
			t.Errorf("%s: %v", c.CommandPath(), err)
		}
		for _, line := range strings.Split(out.String(), "\n") {
			if n := len([]rune(line)); n > 80 {
				t.Errorf("cnet help %s: %d columns: %s", c.CommandPath(), n, line)
			}
		}
	})
}

func TestRoff(t *testing.T) {
	for in, want := range map[string]string{
		"plain":      "plain",
		".hidden":    `\&.hidden`,
		"'quoted'":   `\&'quoted'`,
		`a\b --flag`: `a\eb \-\-flag`,
	} {
		if got := roff(in); got != want {
			t.Errorf("roff(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestEntries makes each command alone, as a line that begins with it does.
func TestEntries(t *testing.T) {
	for _, g := range commands() {
		for _, e := range g.commands {
			if made := (&app{}).root([]string{e.name}).Commands(); len(made) > 2 || e.make(&app{}).Name() != e.name {
				t.Errorf("%s makes %d commands, or has another name", e.name, len(made))
			}
		}
	}
	if all := (&app{}).root([]string{"no-such-command"}).Commands(); len(all) < 20 {
		t.Errorf("only %d commands are known to who mistypes one", len(all))
	}
}
