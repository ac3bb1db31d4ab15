package nat

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
)

// rising are the shares with the largest last.
func (b Balance) rising() []Share {
	list := slices.Clone(b.Shares)
	slices.SortStableFunc(list, func(x, y Share) int { return x.Weight - y.Weight })
	return list
}

// stretch is a row of slots, all of one container.
type stretch struct {
	first, last int
	container   string
}

// slots give numbers from 0 to n-1 to containers, as many as are their shares of n.
func (b Balance) slots() (list []stretch, n int) {
	switch {
	case b.Affinity > 0:
		return b.hashed()
	case b.Exact:
		return b.inTurn()
	}
	for _, s := range b.Shares {
		list = append(list, stretch{n, n + s.Weight - 1, s.Container})
		n += s.Weight
	}
	return list, n
}

// inTurn spreads the slots of each as evenly as can be over all: whoever lags
// most behind its share is next.
func (b Balance) inTurn() (list []stretch, n int) {
	n = b.sum()
	behind := make([]int, len(b.Shares))
	for slot := 0; slot < n; slot++ {
		next := 0
		for i, s := range b.Shares {
			if behind[i] += s.Weight; behind[i] > behind[next] {
				next = i
			}
		}
		behind[next] -= n
		list = extend(list, slot, b.Shares[next].Container)
	}
	return list, n
}

// hashes is how many slots the addresses of clients fall in.
const hashes = 256

// hashed gives each slot to the container that bids most for it (rendezvous
// hashing, weighted): who comes or goes takes or leaves its own slots only, so
// that of the other clients all keep their container.
func (b Balance) hashed() (list []stretch, n int) {
	for slot := 0; slot < hashes; slot++ {
		best, most := "", math.Inf(-1)
		for _, s := range b.Shares {
			sum := sha256.Sum256(binary.BigEndian.AppendUint32([]byte(s.Container+"\x00"), uint32(slot)))
			u := (float64(binary.BigEndian.Uint64(sum[:])>>11) + 0.5) / (1 << 53)
			if bid := float64(s.Weight) / -math.Log(u); bid > most {
				best, most = s.Container, bid
			}
		}
		list = extend(list, slot, best)
	}
	return list, hashes
}

func extend(list []stretch, slot int, container string) []stretch {
	if i := len(list) - 1; i >= 0 && list[i].container == container {
		list[i].last = slot
		return list
	}
	return append(list, stretch{slot, slot, container})
}
