package nat

import (
	"context"

	"github.com/cnetlab/cnet/pkg/fact"
)

// probe looks for the objects of a fact: that each is there, and as it was made.
func (nftBackend) probe(ctx context.Context, v value) (fact.Truth, error) {
	state, err := lookNft(ctx)
	if err != nil {
		return fact.Truth{}, err
	}
	for _, o := range v.nftables() {
		if !state.has(o) {
			return fact.False(), nil
		}
	}
	return fact.True(), nil
}

func (nftBackend) mend(ctx context.Context, v value) error { return nil }
