package demo

import (
	"context"
	"fmt"
	"sync"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/serve"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
)

// step is one thing to learn.
type step struct {
	title string
	parts []part
}

// part is what is said, then done, then seen.
type part struct {
	text  string
	acts  []act
	looks []look
}

// act is something that is done, and the commands that do it by hand.
type act interface {
	do(context.Context, *stage) (commands []string, err error)
}

// look is one thing to see. see returns what it saw, and waits a while for what
// is wanted where the kernel takes a moment. Where chance decides, nothing is
// wanted, and see itself fails.
type look struct {
	what string // "netns0 pings 172.18.0.11"
	want string
	see  func(ctx context.Context, want string) (saw string, err error)
}

// stage is where the story is played.
type stage struct {
	page    *page
	before  state // of the host, before the first step
	made    []fact.Fact
	servers []func()
}

func (s *stage) play(ctx context.Context, n int, st step) error {
	s.page.heading(n, st.title)
	for _, p := range st.parts {
		s.page.text(p.text)
		for _, a := range p.acts {
			commands, err := a.do(ctx, s)
			if err != nil {
				return fmt.Errorf("step %d of the demo: %w", n, err)
			}
			s.page.commands(commands)
		}
		if err := s.look(ctx, n, p.looks); err != nil {
			return err
		}
	}
	return nil
}

// look looks at all things at once and tells them in order.
func (s *stage) look(ctx context.Context, n int, looks []look) error {
	saw, errs := make([]string, len(looks)), make([]error, len(looks))
	var wait sync.WaitGroup
	for i := range looks {
		i := i
		wait.Add(1)
		go func() {
			defer wait.Done()
			saw[i], errs[i] = looks[i].see(ctx, looks[i].want)
		}()
	}
	wait.Wait()
	for i, l := range looks {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errs[i] != nil:
			return fmt.Errorf("step %d of the demo: %s: %w", n, l.what, errs[i])
		}
		s.page.saw(l.what, saw[i])
		if l.want != "" && saw[i] != l.want {
			return fail.New(fail.Unmet, fmt.Sprintf("step %d of the demo", n),
				"%s: expected %q, saw %q", l.what, l.want, saw[i])
		}
	}
	return nil
}

// change makes or breaks a fact.
type change struct {
	verb fact.Verb
	fact fact.Fact
}

func making(facts ...fact.Fact) (acts []act) {
	for _, f := range facts {
		acts = append(acts, change{fact.Make, f})
	}
	return acts
}

func breaking(facts ...fact.Fact) (acts []act) {
	for _, f := range facts {
		acts = append(acts, change{fact.Break, f})
	}
	return acts
}

func (c change) do(ctx context.Context, s *stage) ([]string, error) {
	f := c.fact
	if c.verb == fact.Break {
		s.forget(f.Key())
		return lines(f.Commands(fact.Break)), f.Break(ctx)
	}
	if r, ok := f.(fact.Rememberer); ok {
		var err error
		if f, err = r.Remember(ctx); err != nil {
			return nil, err
		}
	}
	s.made = append(s.made, f)
	return lines(f.Commands(fact.Make)), f.Make(ctx)
}

// forget strikes a fact off the list of those made, and those that go with it.
func (s *stage) forget(key fact.Key) {
	var left []fact.Fact
	for _, f := range s.made {
		if f.Key() != key {
			left = append(left, f)
		}
	}
	gone := make(map[fact.Key]bool)
	for _, f := range fact.Diff(s.made, left).Gone {
		gone[f.Key()] = true
	}
	s.made = nil
	for _, f := range left {
		if !gone[f.Key()] {
			s.made = append(s.made, f)
		}
	}
}

// undo breaks everything that was made, in reverse order. The servers run on if
// they are kept.
type undo struct{ keeps bool }

func (u undo) do(ctx context.Context, s *stage) (commands []string, err error) {
	if !u.keeps {
		s.stopServers()
	}
	plan := fact.Diff(s.made, nil)
	for _, st := range plan.Steps {
		commands = append(commands, lines(st.Fact.Commands(st.Verb))...)
	}
	if n := len(plan.Gone); n > 0 {
		commands = append(commands, fmt.Sprintf("# %d more facts go with these", n))
	}
	s.made = nil
	_, err = fact.Run(ctx, plan.Steps, fact.Observer{})
	return commands, err
}

// server runs the small web server in a namespace.
type server struct {
	netns, name, addr string
	by                string // the command that does it by hand
	fails             int    // so many of a hundred requests
}

func (v server) do(ctx context.Context, s *stage) ([]string, error) {
	srv := &serve.Server{Name: v.name, Addr: v.addr, FailRate: v.fails}
	if err := netns.Do(v.netns, srv.Listen); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Run(ctx)
	}()
	s.servers = append(s.servers, func() { cancel(); <-done })
	return []string{v.by}, nil
}

// ending ends the server that was started last.
type ending struct{}

func (ending) do(_ context.Context, s *stage) ([]string, error) {
	last := len(s.servers) - 1
	s.servers[last]()
	s.servers = s.servers[:last]
	return []string{"kill %%"}, nil
}

// stopServers ends the servers: an open socket keeps a namespace alive.
func (s *stage) stopServers() {
	for _, stop := range s.servers {
		stop()
	}
	s.servers = nil
}

func lines(commands []fact.Command) (out []string) {
	for _, c := range commands {
		out = append(out, c.String())
	}
	return out
}
