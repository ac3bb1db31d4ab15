package nat

import (
	"context"
	"sync"
)

type sessionKey struct{}

// session remembers what the tables held, until something is changed.
type session struct {
	mu   sync.Mutex
	seen map[bool]snapshot // by IPv6
	nft  *nftLink          // once it was needed
	held *nftState
}

// Keep returns a context whose probes share one reading of the tables, and the
// func that ends it. Changes made with the context are seen; those of other
// programs are not. All is of the network namespace of the caller's thread.
func Keep(ctx context.Context) (context.Context, func()) {
	s := &session{seen: make(map[bool]snapshot)}
	return context.WithValue(ctx, sessionKey{}, s), s.end
}

func sessionOf(ctx context.Context) (*session, bool) {
	s, _ := ctx.Value(sessionKey{}).(*session)
	return s, s != nil
}

// end forgets all. To close the socket takes some milliseconds if something was
// deleted just before, and next to nothing if other work came between.
func (s *session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.seen)
	s.held = nil
	if s.nft != nil {
		_ = s.nft.close()
		s.nft = nil
	}
}

// stale forgets what the tables held.
func stale(ctx context.Context) {
	if s, ok := sessionOf(ctx); ok {
		s.mu.Lock()
		clear(s.seen)
		s.mu.Unlock()
	}
}

// withNft runs fn with the socket of the session of ctx, or else one of its own,
// to change what table inet cnet holds.
func withNft(ctx context.Context, fn func(*nftLink) error) error {
	return inSession(ctx, func(s *session) error {
		s.held = nil
		return fn(s.nft)
	})
}

// lookNft reads table inet cnet, or takes it from the session of ctx.
func lookNft(ctx context.Context) (state *nftState, err error) {
	err = inSession(ctx, func(s *session) error {
		if s.held == nil {
			s.held, err = s.nft.read()
		}
		state = s.held
		return err
	})
	return state, err
}

func inSession(ctx context.Context, fn func(*session) error) (err error) {
	s, ok := sessionOf(ctx)
	if !ok {
		s = &session{}
		defer s.end()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nft == nil {
		if s.nft, err = openNft(); err != nil {
			return err
		}
	}
	return fn(s)
}
