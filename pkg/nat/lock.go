package nat

import (
	"context"
	"errors"
	"time"
)

// XtablesLock is the file that the legacy iptables commands lock while they work
// (flock(2)). Those of nftables have no such lock.
const XtablesLock = "/run/xtables.lock"

// ErrLocked is the error when another program kept the xtables lock too long.
var ErrLocked = errors.New("another program holds the xtables lock")

// lockWait is how long iptables waits for the xtables lock.
const lockWait = 10 * time.Second

type patienceKey struct{}

// Patience returns a context whose changes wait so long for the xtables lock
// (iptables-restore(8), --wait), rounded up to seconds, instead of ten seconds.
// It is one at least: with none, iptables-restore waits for ever.
func Patience(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, patienceKey{}, d)
}

// lockSeconds is the patience of ctx in seconds.
func lockSeconds(ctx context.Context) int {
	d, ok := ctx.Value(patienceKey{}).(time.Duration)
	if !ok {
		d = lockWait
	}
	return max(1, int((d+time.Second-1)/time.Second))
}
