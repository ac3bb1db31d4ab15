package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/proc"
	"github.com/cnetlab/cnet/pkg/fact"
)

func newPsCmd(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "ps [NAME...]",
		Short: "List the processes that cnet keeps an eye on",
		Long: `List the processes that cnet keeps an eye on: what exec -d started in containers,
and cnet's own, which answer for names (dns), ask the backends of services whether
they can serve (agent), and are proxies (sidecar-NAME, edge). One that has ended is listed until its container
is deleted; repair starts it again if it is kept.`,
		Example: "  cnet ps\n  cnet ps web dns",
		RunE: func(_ *cobra.Command, args []string) error {
			list, err := a.processes(args)
			if err != nil {
				return err
			}
			if a.output != "" {
				return a.data(list)
			}
			rows := [][]string{{"PID", "OF", "STATE", "AGE", "COMMAND"}}
			for _, p := range list {
				rows = append(rows, []string{strconv.Itoa(p.PID), p.Of, p.State, orDash(p.Age), p.words()})
			}
			return table(a.out, rows)
		},
	}
	a.outputFlag(c)
	return c
}

// process is a process as ps shows it.
type process struct {
	proc.Process
	Of    string `json:"of"` // its container, or the name of one of cnet's own
	State string `json:"state"`
	Age   string `json:"age,omitempty"`
}

// words is the command, cut to what fits a line.
func (p process) words() string {
	words := make([]string, len(p.Command))
	for i, w := range p.Command {
		words[i] = fact.Quote(w)
	}
	const most = 44
	line := []rune(strings.Join(words, " "))
	if len(line) > most {
		return string(line[:most-3]) + "..."
	}
	return string(line)
}

// processes are those of the containers and of cnet's own of these names, or all.
func (a *app) processes(names []string) ([]process, error) {
	list := []process{}
	if len(names) == 0 {
		containers, err := proc.Containers()
		if err != nil {
			return nil, err
		}
		t, err := a.engine().Topology()
		if err != nil {
			return nil, err
		}
		own, err := a.kept(t)
		if err != nil {
			return nil, err
		}
		slices.SortFunc(own, func(a, b kept) int { return strings.Compare(a.Name, b.Name) })
		names = containers
		for _, k := range own {
			names = append(names, k.Name)
		}
	}
	for _, name := range names {
		records, err := recordsOf(name)
		own, is := a.keptOf(name)
		if is && len(records) == 0 && err == nil {
			records, err = ownRecords(own)
		}
		if err != nil {
			return nil, err
		}
		if len(records) == 0 && !is {
			if err := a.exists(name); err != nil {
				return nil, err
			}
		}
		for _, r := range records {
			list = append(list, seen(name, r))
		}
	}
	return list, nil
}

// ownRecords waits for the record of a process of cnet's own that runs and has only
// just begun: it records itself.
func ownRecords(k kept) (list []proc.Process, err error) {
	for end := time.Now().Add(time.Second); k.Runs() && time.Now().Before(end); time.Sleep(time.Millisecond) {
		if list, err = proc.ListKept(k.Name); err != nil || len(list) > 0 {
			break
		}
	}
	return list, err
}

// recordsOf are the records of a container, or of a process of cnet's own.
func recordsOf(name string) ([]proc.Process, error) {
	records, err := proc.List(name)
	if err != nil || len(records) > 0 {
		return records, err
	}
	return proc.ListKept(name)
}

func seen(name string, r proc.Process) process {
	p := process{Process: r, Of: name, State: "ended"}
	if r.Runs() {
		p.State, p.Age = "running", age(r.Age())
	}
	return p
}

// age is a duration in its largest unit.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// one is the process of that number, or the only one of that name.
func (a *app) one(word string) (p process, err error) {
	if pid, err := strconv.Atoi(word); err == nil {
		list, err := a.processes(nil)
		for _, p := range list {
			if p.PID == pid {
				return p, nil
			}
		}
		if err == nil {
			err = fail.New(fail.NotFound, "logs "+word, "cnet started no process %s", word).Try("cnet ps")
		}
		return p, err
	}
	list, err := a.processes([]string{word})
	_, isOwn := a.keptOf(word)
	switch {
	case err != nil:
		return p, err
	case len(list) == 0 && isOwn:
		return p, fail.New(fail.NotFound, "logs "+word, "that process of cnet's does not run: nothing needs it, or cnet check tells").Try("cnet check")
	case len(list) == 0:
		return p, fail.New(fail.NotFound, "logs "+word, "nothing was started there").Try("cnet exec -d %s -- CMD", word)
	case len(list) > 1:
		return p, fail.New(fail.Conflict, "logs "+word, "%d processes were started there; name one by its number", len(list)).Try("cnet ps %s", word)
	}
	return list[0], nil
}
