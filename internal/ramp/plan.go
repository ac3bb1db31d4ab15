package ramp

import (
	"errors"
	"math/big"
	"slices"

	"github.com/cnetlab/cnet/internal/topology"
)

// Step is a share to be reached, in percent, and the weights that give it.
type Step struct {
	Percent int
	Weights []topology.Weight
}

// Why a ramp cannot be.
var (
	ErrUnknown = errors.New("it is neither a backend nor a group")
	ErrAlone   = errors.New("nothing else has a weight")
)

// Plan are the steps from the share that name has by now to one of percent to,
// each of at most step. The others keep their proportions to each other. There
// are none where it has that share already.
func Plan(now []topology.Weight, name string, to, step int) ([]Step, error) {
	at := slices.IndexFunc(now, func(w topology.Weight) bool { return w.Name == name })
	if at < 0 {
		return nil, ErrUnknown
	}
	sum, others := 0, 0
	for i, w := range now {
		sum += w.Weight
		if i != at {
			others += w.Weight
		}
	}
	if others == 0 && to < 100 {
		return nil, ErrAlone
	}
	from := 0
	if sum > 0 {
		from = (200*now[at].Weight + sum) / (2 * sum)
	}
	var steps []Step
	for p := from; p != to; {
		p += min(max(to-p, -step), step)
		steps = append(steps, Step{p, scaled(now, at, p, others)})
	}
	return steps, nil
}

// scaled gives the weight at an index so many percent of all. It keeps weights
// in whole numbers, the smallest there are.
func scaled(now []topology.Weight, at, percent, others int) []topology.Weight {
	list, divisor := slices.Clone(now), new(big.Int)
	if others == 0 { // percent is 100
		others = 1
	}
	for i := range list {
		if i == at {
			list[i].Weight = percent * others
		} else {
			list[i].Weight *= 100 - percent
		}
		divisor.GCD(nil, nil, divisor, big.NewInt(int64(list[i].Weight)))
	}
	for i := range list {
		list[i].Weight /= int(divisor.Int64())
	}
	return list
}
