// Package verify proves with packets what a topology promises: who reaches
// whom, on which ports, from where, and who must not. [Derive] is the list of
// promises, a pure function; [Run] keeps or breaks them.
//
// Where nobody listens, verify listens itself, for the time of the run, so that
// an answer shows not only that somebody answered but who. A neighbour of the
// host is a namespace on a cable of its own ([Stage]).
package verify

import (
	"fmt"
	"net/netip"

	"github.com/cnetlab/cnet/internal/topology"
)

// Protocols of a promise.
const (
	TCP  = "tcp"
	UDP  = "udp"
	SCTP = "sctp"
	ICMP = "icmp" // an echo, to who serves no port
)

// AnyPort stands for the ports that nobody has named. It lies above those that
// Linux gives to callers (ip_local_port_range).
const AnyPort = 61077

// Promise is that a place reaches an address, or does not.
type Promise struct {
	From  string     // a container, TheHost or TheOutside
	To    string     // the same, Gateway, or a service as [ServiceNamed] has it
	Addr  netip.Addr // what is called
	Port  uint16     // 0 with ICMP
	Proto string
	Reach bool

	Published string     // the published port that it is about, in the form 8080:80/tcp; may be empty
	Servers   []Server   // one of whom has to answer; without any it is whoever does
	Sees      netip.Addr // the caller's address as the server must see it; the zero Addr is any
	Own       bool       // the user's own expectation
}

// Places that are no containers, by names that no container can have.
const (
	TheHost    = "the host"
	TheOutside = "the outside" // a neighbour of the host
	Gateway    = "a gateway"   // a router's address
)

// ServiceNamed is a service as promises name it: no container can have such a name.
func ServiceNamed(name string) string { return servicePrefix + name }

const servicePrefix = "service "

// Server is a place to be answered from.
type Server struct {
	In    string // a container, TheHost or TheOutside
	Addr  netip.Addr
	Port  uint16
	Proto string
}

// target is what is called, in words.
func (p Promise) target() string {
	switch {
	case p.Proto == ICMP:
		return fmt.Sprintf("gateway %s", p.Addr)
	case p.Published != "":
		return fmt.Sprintf("%s's published %s at %s", p.To, p.Published, netip.AddrPortFrom(p.Addr, p.Port))
	case p.Port == AnyPort:
		return fmt.Sprintf("%s at %s, any %s port", p.To, p.Addr, p.Proto)
	}
	return fmt.Sprintf("%s at %s, %s port %d", p.To, p.Addr, p.Proto, p.Port)
}

// String is the promise on one line.
func (p Promise) String() string {
	s := p.From + " to " + p.target()
	if !p.Reach {
		s += ": closed"
	}
	if p.Sees.IsValid() {
		s += ", seen as " + p.Sees.String()
	}
	if p.Own {
		s += " (expected)"
	}
	return s
}

// About reports whether a promise is about one of these containers or services;
// an empty list is all.
func (p Promise) About(names []string) bool {
	for _, n := range names {
		if p.From == n || p.To == n {
			return true
		}
	}
	return len(names) == 0
}

// Vantage is what sort of place the promise is tried from: container, host or
// outside.
func (p Promise) Vantage() string {
	switch p.From {
	case TheHost:
		return topology.TheHost
	case TheOutside:
		return topology.TheOutside
	}
	return "container"
}
