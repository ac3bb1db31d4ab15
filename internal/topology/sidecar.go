package topology

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/pkg/nat"
)

// Sidecar is a proxy in a container's namespace, to which the kernel leads the
// connections that the container makes.
type Sidecar struct {
	Retries int    `json:"retries,omitempty" yaml:"retries"` // of a request that failed
	Timeout string `json:"timeout" yaml:"timeout"`           // until an answer begins, of each try
	// Circuit says when an upstream is left alone: after so many failures in a row,
	// for so long, "5/30s"; empty is never.
	Circuit string `json:"circuit,omitempty" yaml:"circuit"`
	// Inbound has it take the connections that come to the container, too.
	Inbound bool `json:"inbound,omitempty" yaml:"inbound"`
	// Ends: it is given no new connections, and goes when those it has have ended.
	Ends bool `json:"ends,omitempty" yaml:"ends"`
}

// The ports of a sidecar's proxy in its namespace.
const (
	SidecarPort  = 15001 // what the container calls is led there
	SidecarEntry = 15006 // and there what calls the container
)

// MostRetries bounds the retries of a request.
const MostRetries = 10

// Attach puts a sidecar into a container's stack, or changes the one there.
func (t *Topology) Attach(name string, s Sidecar) error {
	k, err := t.Holder(name)
	if err != nil {
		return err
	}
	s = s.filled()
	if err := k.admitsSidecar(s); err != nil {
		return err
	}
	k.Sidecar = &s
	return nil
}

// EndSidecar has a container's sidecar be given no more connections.
func (t *Topology) EndSidecar(name string) error {
	k, err := t.Holder(name)
	if err == nil && k.Sidecar != nil {
		s := *k.Sidecar
		s.Ends = true
		k.Sidecar = &s
	}
	return err
}

// Detach takes the sidecar out of a container's stack.
func (t *Topology) Detach(name string) error {
	k, err := t.Holder(name)
	if err != nil {
		return err
	}
	if k.Sidecar == nil {
		return fail.New(fail.NotFound, "sidecar of "+name, "the container has none").Try("cnet sidecar list")
	}
	k.Sidecar = nil
	return nil
}

// filled is the sidecar with what was left to cnet.
func (s Sidecar) filled() Sidecar {
	keep(&s.Timeout, "1s")
	return s
}

// admitsSidecar refuses a sidecar that the container has no use for, or one that cannot be.
func (c Container) admitsSidecar(s Sidecar) error {
	what := "sidecar of " + c.Name
	if len(c.Networks) == 0 {
		return fail.New(fail.Conflict, what, "the container is connected to no network: it calls nobody").Try("cnet connect %s", c.Name)
	}
	if s.Retries < 0 || s.Retries > MostRetries {
		return fail.New(fail.Usage, what, "%d retries are out of range: they are counted from 0 to %d", s.Retries, MostRetries).Try("--retries 2")
	}
	if d, err := time.ParseDuration(s.Timeout); err != nil || d < time.Millisecond || d > time.Hour {
		return fail.New(fail.Usage, what, "%s is not a time from 1ms to 1h", quote(s.Timeout)).Try("--timeout 1s")
	}
	if _, _, err := s.Breaker(); err != nil {
		return fail.New(fail.Usage, what, "the circuit %w", err).Try("--circuit 5/30s: after 5 failures in a row, for 30 seconds")
	}
	return nil
}

// Breaker is the circuit in numbers: after how many failures in a row, 0 for never,
// and for how long.
func (s Sidecar) Breaker() (failures int, open time.Duration, err error) {
	if s.Circuit == "" {
		return 0, 0, nil
	}
	count, long, _ := strings.Cut(s.Circuit, "/")
	failures, err = strconv.Atoi(count)
	if err != nil || failures < 1 || failures > 1000 {
		return 0, 0, fmt.Errorf("%s does not begin with a number of failures from 1 to 1000", quote(s.Circuit))
	}
	open, err = time.ParseDuration(long)
	if err != nil || open < time.Millisecond || open > time.Hour {
		return 0, 0, fmt.Errorf("%s does not end with a time from 1ms to 1h", quote(s.Circuit))
	}
	return failures, open, nil
}

// redirects adds the rules that lead a container's connections to its sidecar.
func (c *compiler) redirects(k Container, ipv6 bool) {
	n := c.mustNetwork(k.Main().Network)
	for _, r := range []nat.Redirect{{Port: SidecarPort}, {Port: SidecarEntry, Inbound: true}} {
		if r.Inbound && !k.Sidecar.Inbound {
			continue
		}
		r.On = nat.On{Backend: n.Firewall, IPv6: ipv6, Netns: k.netns()}
		r.Container, r.Ends = k.StackName(), k.Sidecar.Ends
		c.add("container "+k.Name, nat.Redirects(r)...)
	}
}

// speaks6 reports whether a network of the container has IPv6.
func (c *compiler) speaks6(k Container) bool {
	for _, a := range k.Networks {
		if c.mustNetwork(a.Network).IPv6 {
			return true
		}
	}
	return false
}
