// Package health asks the backends of services whether they can serve, and tells
// when one begins to, or ceases. The kernel shares connections out to the dead and
// the living alike: it sees packets, not servers.
package health

import (
	"context"
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/cnetlab/cnet/internal/probe"
	"github.com/cnetlab/cnet/internal/topology"
)

// Patient is a backend of a service, and how it is asked.
type Patient struct {
	Service   string         `json:"service"`
	Container string         `json:"container"`
	At        netip.AddrPort `json:"at"`
	Check     topology.Check `json:"check"`
	Ready     bool           `json:"ready"` // what is known of it so far
}

// Finding is that a backend has become ready, or has ceased to be.
type Finding struct {
	Service   string `json:"service"`
	Container string `json:"container"`
	Ready     bool   `json:"ready"`
}

// Of are the backends that are to be asked. A service over UDP alone has none: a
// datagram to which nobody answers tells nothing.
func Of(t topology.Topology) (list []Patient) {
	for _, s := range t.Services {
		if s.Check == nil {
			continue
		}
		for _, m := range t.Members(s) {
			for _, p := range s.Ports {
				if p.Proto != "tcp" {
					continue
				}
				list = append(list, Patient{s.Name, m.Container, netip.AddrPortFrom(m.IP, m.At(p)), *s.Check, m.Ready})
				break // one port speaks for all
			}
		}
	}
	return list
}

// Agent asks all patients, each in its own time. It is a server of package keep
// without sockets.
type Agent struct {
	mu     sync.Mutex
	rounds map[id]*round
}

type id struct{ service, container string }

// round is the asking of one patient.
type round struct {
	patient Patient
	end     context.CancelFunc
}

// NewAgent returns an agent without patients.
func NewAgent() *Agent { return &Agent{rounds: make(map[id]*round)} }

// Know takes the patients of now. Who is asked already and as before goes on
// being asked; tell is told the findings.
func (a *Agent) Know(know json.RawMessage, tell func(any) error) error {
	var list []Patient
	if err := json.Unmarshal(know, &list); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.rounds
	a.rounds = make(map[id]*round, len(list))
	for _, p := range list {
		key := id{p.Service, p.Container}
		if r := old[key]; r != nil && r.patient == p {
			a.rounds[key] = r
			delete(old, key)
			continue
		}
		ctx, end := context.WithCancel(context.Background())
		a.rounds[key] = &round{p, end}
		go p.watch(ctx, tell)
	}
	for _, r := range old {
		r.end()
	}
	return nil
}

// Listen is not called: an agent has no sockets.
func (a *Agent) Listen(netip.AddrPort, []*os.File) error { return net.ErrClosed }

// Close is not called either.
func (a *Agent) Close(netip.AddrPort) error { return nil }

// watch asks a patient until ctx ends or its state changes: who is told of that
// tells what is known from then on, and a new watch begins.
func (p Patient) watch(ctx context.Context, tell func(any) error) {
	every, err := time.ParseDuration(p.Check.Every)
	timeout, err2 := time.ParseDuration(p.Check.Timeout)
	target, err3 := probe.Parse(p.question())
	if err != nil || err2 != nil || err3 != nil {
		return // the topology was checked
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	against := 0 // answers in a row that are not as the state is
	for {
		ok := probe.Run(ctx, target, probe.Options{Timeout: timeout}).OK
		if ctx.Err() != nil {
			return
		}
		if ok == p.Ready {
			against = 0
		} else {
			against++
		}
		if against >= p.enough(ok) && tell(Finding{p.Service, p.Container, ok}) == nil {
			against, p.Ready = 0, ok
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// enough is how many answers in a row change the state.
func (p Patient) enough(ok bool) int {
	if ok {
		return max(p.Check.Passes, 1)
	}
	return max(p.Check.Failures, 1)
}

func (p Patient) question() string {
	if p.Check.Kind == topology.CheckHTTP {
		return "http://" + p.At.String() + p.Check.Path
	}
	return p.At.String()
}
