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

// question is one rule of the chain that chooses: whether a connection that the
// rules before left is given to a container.
type question struct {
	container string
	parts, of int // parts of so many go there; of 0: all do
}

// questions lead each connection to one container, in proportion to the shares. A
// rule is asked only for what is left by those before it. The last is that of the
// largest share, which would need the most rules where they count.
func (b Balance) questions() (list []question) {
	shares, left := b.rising(), b.sum()
	for i, s := range shares {
		switch {
		case i == len(shares)-1:
			list = append(list, question{s.Container, 0, 0})
		case !b.Exact:
			list = append(list, question{s.Container, s.Weight, left})
		case left%s.Weight == 0:
			list = append(list, question{s.Container, 1, left / s.Weight})
		default:
			for n := 0; n < s.Weight; n++ {
				list = append(list, question{s.Container, 1, left - n})
			}
		}
		left -= s.Weight
	}
	return list
}

// hashes is how many slots the addresses of clients fall in.
const hashes = 256

// hashed gives each slot to the container that bids most for it (rendezvous
// hashing, weighted): who comes or goes takes or leaves its own slots only, so
// that of the other clients all keep their container.
func (b Balance) hashed() (slots [hashes]string) {
	for slot := range slots {
		most := math.Inf(-1)
		for _, s := range b.Shares {
			sum := sha256.Sum256(binary.BigEndian.AppendUint32([]byte(s.Container+"\x00"), uint32(slot)))
			u := (float64(binary.BigEndian.Uint64(sum[:])>>11) + 0.5) / (1 << 53)
			if bid := float64(s.Weight) / -math.Log(u); bid > most {
				slots[slot], most = s.Container, bid
			}
		}
	}
	return slots
}
