package proxy

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Breakers leave backends alone that go on failing: after so many failures in a
// row for so long. Then one request tries; if it fails, the same again.
type Breakers struct {
	mu       sync.Mutex
	failures int // in a row; 0 is never
	open     time.Duration
	states   map[netip.AddrPort]*breaker
}

type breaker struct {
	failed int       // in a row
	until  time.Time // left alone until then
	trial  time.Time // when the one began that tries; zero for none
}

// Set says when a backend is left alone. What is known of backends stays.
func (b *Breakers) Set(failures int, open time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.open = failures, open
	if b.states == nil {
		b.states = make(map[netip.AddrPort]*breaker)
	}
	if failures == 0 {
		clear(b.states)
	}
}

// Open reports whether a backend is left alone, now.
func (b *Breakers) Open(at netip.AddrPort) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.states[at]
	return s != nil && b.isOpen(s)
}

// isOpen: a trial that never ended does not keep the others away for ever.
func (b *Breakers) isOpen(s *breaker) bool {
	now := time.Now()
	return s.failed >= b.failures && (now.Before(s.until) || now.Sub(s.trial) < b.open)
}

// Begin is told of a request that is about to try a backend. It reports false
// where another is trying it, or nobody may.
func (b *Breakers) Begin(at netip.AddrPort) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.states[at]
	switch {
	case s == nil || b.failures == 0 || s.failed < b.failures:
		return true
	case b.isOpen(s):
		return false
	}
	s.trial = time.Now()
	return true
}

// Pick is the backend that a choice picks for a try which is about to begin. One
// that another request has just begun to try is left to it.
func (b *Breakers) Pick(choose Choice, tried []Backend) (Backend, error) {
	var left []Backend
	for {
		picked, err := choose(tried)
		if err != nil || b.Begin(picked.At) {
			return picked, err
		}
		if slices.Contains(left, picked) {
			return Backend{}, ErrOpen
		}
		left = append(left, picked)
	}
}

// End is told how a request to a backend went.
func (b *Breakers) End(at netip.AddrPort, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures == 0 {
		return
	}
	if ok {
		delete(b.states, at)
		return
	}
	s := b.states[at]
	if s == nil {
		s = &breaker{}
		b.states[at] = s
	}
	s.failed++
	s.trial = time.Time{}
	if s.failed >= b.failures {
		s.until = time.Now().Add(b.open)
	}
}

// List are the backends that are left alone now.
func (b *Breakers) List() (list []netip.AddrPort) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for at, s := range b.states {
		if b.failures > 0 && b.isOpen(s) {
			list = append(list, at)
		}
	}
	return list
}
