package nat

import (
	"context"
	"errors"
	"os/exec"
	"strings"
)

// Foreign returns, in the words of iptables-save(8), a rule that is not cnet's
// and that rewrites the source of forwarded packets; empty when there is none.
// Where there is one, somebody else uses this host as a router.
func Foreign(ctx context.Context, ipv6 bool) (string, error) {
	snap, err := look(ctx, ipv6)
	if errors.Is(err, exec.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for chain, rules := range snap["nat"] {
		for _, r := range rules {
			if t := r.target(); !ours(chain) && (t == "MASQUERADE" || t == "SNAT") {
				return "-A " + chain + " " + strings.Join(r.Args, " "), nil
			}
		}
	}
	return "", nil
}
