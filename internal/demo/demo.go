package demo

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/world"
	"github.com/cnetlab/cnet/pkg/nat"
	"github.com/cnetlab/cnet/pkg/netns"
)

// Options say how the story is told.
type Options struct {
	Story string // one of Stories
	Out   io.Writer
	In    io.Reader // asked for a key when Pause is set
	Pause bool      // wait for a key after each step
	From  int       // the first step that is told; those before are done silently
	Color bool
	Width int // columns; 0 is 80
}

// Stories are the names of those that can be told. The first is of the network itself.
func Stories() []string { return []string{"network", "discovery", "canary", "sidecar", "edge"} }

// Run tells a story. The program must be cnet, which it calls. It must run inside
// a sandbox with a world, which it leaves as it was. A claim that is not true ends it with a fail.Unmet; a host
// without iptables with a fail.HostLacks, before anything else.
func Run(ctx context.Context, o Options) error {
	if err := Ready(); err != nil {
		return err
	}
	if err := netns.Check(world.Outside); err != nil {
		return fail.New(fail.Failed, "demo", "it runs in a sandbox with a world only: %w", err)
	}
	s := &stage{page: newPage(o)}
	steps, err := s.story(o.Story)
	if err != nil {
		return err
	}
	if o.From > len(steps) || o.From < 0 {
		return fail.New(fail.Usage, fmt.Sprintf("step %d", o.From), "the demo has the steps 1 to %d", len(steps)).
			Try("cnet demo %s --list", o.Story)
	}
	defer s.stopServers()
	if s.before, err = snapshot(ctx); err != nil {
		return err
	}
	for i, st := range steps {
		n := i + 1
		s.page.silent = n < o.From
		if err := s.play(ctx, n, st); err != nil {
			return err
		}
		if o.Pause && !s.page.silent && n < len(steps) {
			if on, err := pause(ctx, o.In, o.Out); err != nil || !on {
				return err
			}
		}
	}
	s.page.end()
	return nil
}

// Ready is the fail.HostLacks of a host without what the story needs.
func Ready() error {
	if err := nat.Available(nat.Iptables, false); err != nil {
		return fail.New(fail.HostLacks, "demo", "it needs the iptables command: %w", err).
			Try("install the package iptables")
	}
	return nil
}

// List writes the numbers and titles of a story's steps.
func List(w io.Writer, story string) error {
	steps, err := new(stage).story(story)
	for i, st := range steps {
		fmt.Fprintf(w, "%2d  %s\n", i+1, st.title)
	}
	return err
}

// story is all steps of a story in order, as they are played on a stage.
func (s *stage) story(name string) ([]step, error) {
	switch name {
	case "network":
		return network(s), nil
	case "discovery":
		return discovery(s), nil
	case "canary":
		return canary(s), nil
	case "sidecar":
		return sidecar(s), nil
	case "edge":
		return edge(s), nil
	}
	return nil, fail.New(fail.Usage, "demo "+strconv.Quote(name), "there is no such story").
		Try("cnet demo %s", strings.Join(Stories(), ", cnet demo "))
}
