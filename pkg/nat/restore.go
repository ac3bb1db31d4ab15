package nat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/cnetlab/cnet/pkg/fact"
)

// commandError is a command that failed, with what it printed.
type commandError struct {
	name string
	text string
	err  error
}

func (e *commandError) Error() string {
	if e.text == "" {
		return fmt.Sprintf("%s: %v", e.name, e.err)
	}
	return e.text
}

func (e *commandError) Unwrap() error { return e.err }

// find returns the path of a program. It also looks where the PATH of ordinary
// users does not lead.
func find(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", err
}

// run runs a program and returns what it printed. Its messages are those of
// the C locale, which explain reads.
func run(ctx context.Context, name, input string, args ...string) ([]byte, error) {
	path, err := find(name)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stdin = strings.NewReader(input)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL} // Ctrl-C is for the caller to hear
	var out, msg bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &msg
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%s: %w", name, ctx.Err())
		}
		text, _, _ := strings.Cut(msg.String(), "Try `") // an invitation to read the manual
		e := &commandError{name: name, text: strings.Join(strings.Fields(text), " "), err: err}
		return nil, e.classify()
	}
	return out.Bytes(), nil
}

// classify gives the error a kind that errors.Is finds. The exit status tells
// nothing: it is 4 for a lock, for a lack of permission and for a busy chain.
func (e *commandError) classify() error {
	switch {
	case strings.Contains(e.text, "xtables lock"):
		e.err = ErrLocked
	case strings.Contains(e.text, "Permission denied"), strings.Contains(e.text, "Operation not permitted"):
		e.err = syscall.EPERM
	}
	return e
}

// restore makes changes: all of a table, or none of it. It is short and is not
// cut off in the middle when ctx ends: nobody could tell what it had done.
func restore(ctx context.Context, ipv6 bool, list lines) error {
	if len(list) == 0 {
		return nil
	}
	for _, l := range list {
		if strings.ContainsAny(l.String(), "\n\r\x00") {
			return fmt.Errorf("rule %q holds a line break", l.words)
		}
	}
	if err := fact.Reach(ctx, program(ipv6)+"-restore"); err != nil {
		return err
	}
	_, err := run(context.WithoutCancel(ctx), program(ipv6)+"-restore", list.text(), "--noflush", "-w", strconv.Itoa(lockSeconds(ctx)))
	return err
}

// failedLine is the number of the input line, from 1, that made a command fail.
func failedLine(err error) (int, bool) {
	var e *commandError
	if !errors.As(err, &e) {
		return 0, false
	}
	m := regexp.MustCompile(`line:? (\d+)`).FindStringSubmatch(e.text)
	if m == nil {
		return 0, false
	}
	n, err := strconv.Atoi(m[1])
	return n, err == nil
}

// committed counts the tables that were committed before err.
func committed(list lines, err error) int {
	n, ok := failedLine(err)
	if !ok {
		return 0
	}
	input := strings.Split(list.text(), "\n")
	return strings.Count(strings.Join(input[:max(0, min(n-1, len(input)))], "\n")+"\n", "\nCOMMIT\n")
}

// explain says in words what was in the way of a change.
func explain(ctx context.Context, ipv6 bool, list lines, err error) error {
	n, ok := failedLine(err)
	input := strings.Split(list.text(), "\n")
	if !ok || n < 1 || n > len(input) {
		return err
	}
	snap, serr := look(ctx, ipv6)
	if serr != nil {
		return fmt.Errorf("%w (%w)", err, serr) // which may know that it was not permitted
	}
	words := strings.Fields(input[n-1])
	if len(words) < 2 {
		return err
	}
	table := tableAt(input[:n])
	_, there := snap.tables[table][words[1]]
	switch {
	case words[0] == "-N" && there:
		return fmt.Errorf("chain %s of table %s: %w", words[1], table, fs.ErrExist)
	case words[0] != "-N" && !there:
		return fmt.Errorf("chain %s of table %s: %w", words[1], table, fs.ErrNotExist)
	}
	return fmt.Errorf("%s -t %s %s: %w", program(ipv6), table, input[n-1], err)
}

// tableAt is the table that the last of these input lines belongs to.
func tableAt(input []string) string {
	for i := len(input) - 1; i >= 0; i-- {
		if name, ok := strings.CutPrefix(input[i], "*"); ok {
			return name
		}
	}
	return ""
}
