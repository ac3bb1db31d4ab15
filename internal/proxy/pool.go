package proxy

import (
	"net/netip"
	"slices"
	"sync"
)

// Backend is a server that requests are led to.
type Backend struct {
	Name   string         `json:"name"`
	At     netip.AddrPort `json:"at"`
	Weight int            `json:"weight"` // its part of the sum of all
}

// Pool shares requests among backends in proportion to their weights, evenly in
// time: each pick adds its weight to every backend's credit, and the one with the
// most pays the sum (smooth weighted round robin).
type Pool struct {
	mu   sync.Mutex
	list []*member
}

type member struct {
	Backend
	credit int
}

// NewPool returns a pool of those of the backends that have a weight.
func NewPool(backends []Backend) *Pool {
	p := &Pool{}
	for _, b := range backends {
		if b.Weight > 0 {
			p.list = append(p.list, &member{Backend: b})
		}
	}
	return p
}

// Next is the backend whose turn it is among those that are usable; false if there is none.
func (p *Pool) Next(usable func(Backend) bool) (b Backend, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var best *member
	sum := 0
	for _, m := range p.list {
		if !usable(m.Backend) {
			continue
		}
		sum += m.Weight
		m.credit += m.Weight
		if best == nil || m.credit > best.credit {
			best = m
		}
	}
	if best == nil {
		return b, false
	}
	best.credit -= sum
	return best.Backend, true
}

// Renewed is the pool itself if it is of these backends, so that it goes on where it
// is; else a new one.
func (p *Pool) Renewed(backends []Backend) *Pool {
	fresh := NewPool(backends)
	if p != nil && slices.Equal(p.Backends(), fresh.Backends()) {
		return p
	}
	return fresh
}

// Backends are those of the pool.
func (p *Pool) Backends() []Backend {
	list := make([]Backend, len(p.list))
	for i, m := range p.list {
		list[i] = m.Backend
	}
	return list
}
