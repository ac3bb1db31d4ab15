package proxy

import "sync"

// Budget bounds retries, so that a storm is no worse than half as many requests
// again: each request pays in half a retry, up to a reserve.
type Budget struct {
	mu    sync.Mutex
	spent float64 // of the reserve
}

const (
	reserve = 50  // retries at once
	deposit = 0.5 // retries for each request, in the long run
)

// Request pays in.
func (b *Budget) Request() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spent = max(0, b.spent-deposit)
}

// Retry reports whether one more retry can be paid, and takes it.
func (b *Budget) Retry() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.spent+1 > reserve {
		return false
	}
	b.spent++
	return true
}
