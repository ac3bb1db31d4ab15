package nat

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"
)

// mend sets right what is missing or wrong, in one transaction, and leaves alone
// what stands right.
func (nftBackend) mend(ctx context.Context, v value) error {
	objects, err := nftObjects([]value{v})
	if err != nil {
		return err
	}
	return withNft(ctx, func(l *nftLink) error {
		state, err := l.read()
		if err != nil {
			return err
		}
		state.alone = v.on().Netns != ""
		changes, err := state.mending(objects)
		if err != nil {
			return fmt.Errorf("%s: %w", v.Key(), err)
		}
		_, err = l.apply(ctx, changes)
		return err
	})
}

// mending are the changes that set objects right: first what takes away or
// alters, then what adds.
func (s *nftState) mending(objects []nftObject) (list []nftChange, err error) {
	var missing []nftObject
	filled := make(map[string]bool) // the chains whose rules stand right
	for _, o := range objects {
		there := s.has(o)
		switch o := o.(type) {
		case nftRule:
			there = filled[o.chain]
		case nftChain:
			filled[o.name] = there && s.fills(o, objects)
			if there && s.chains[o.name].spec != o.spec() { // which cannot be altered
				list, there, filled[o.name] = append(list, o.del()), false, false
			} else if there {
				list = append(list, s.straighten(o, filled[o.name])...)
			}
		case nftTable:
			if there && s.fault(o) != nil {
				list = append(list, altering(o))
			}
		case nftElement:
			if there && s.fault(o) != nil {
				list, there = append(list, o.del()), false
			}
		case nftSet:
			if there && s.fault(o) != nil {
				return nil, s.fault(o)
			}
		}
		if !there {
			missing = append(missing, o)
		}
	}
	return append(list, adding(missing)...), nil
}

// straighten are the changes to a chain that stays.
func (s *nftState) straighten(c nftChain, filled bool) (list []nftChange) {
	if s.chains[c.name].drops {
		list = append(list, altering(c))
	}
	if !filled {
		list = append(list, c.flush())
	}
	return list
}

// altering is the change that makes a table or a chain which is there as it should be.
func altering(o nftObject) nftChange {
	c := o.add()
	c.message.flags &^= unix.NLM_F_EXCL
	return c
}
