package nat

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"
)

// nftBackend keeps facts in table inet cnet, by netlink: what is there once for
// all is a skeleton of chains and maps, and a fact is an element of a map, with
// a chain of its own where it has more to say.
type nftBackend struct{}

// available asks the kernel for its tables: one without nf_tables does not know
// what that is. Who may not ask learns so later, and tables that others change
// meanwhile are tables.
func (nftBackend) available(bool) error {
	l, err := openNft()
	if err != nil {
		return err
	}
	defer l.close()
	err = l.dump(nftMessage{kind: unix.NFT_MSG_GETTABLE}, func([]byte) {})
	if errors.Is(err, unix.EPERM) || errors.Is(err, errInterrupted) {
		return nil
	}
	if errors.Is(err, unix.EINVAL) { // there is no such subsystem
		err = unix.EOPNOTSUPP
	}
	if err != nil {
		return fmt.Errorf("this kernel has no nf_tables: %w", err)
	}
	return nil
}

// makeAll makes all in one transaction, or in as few as the kernel lets it.
func (nftBackend) makeAll(ctx context.Context, values []value) error {
	objects, err := nftObjects(values)
	if err != nil {
		return err
	}
	return withNft(ctx, func(l *nftLink) error {
		done, err := l.apply(ctx, adding(objects))
		if err != nil && done > 0 {
			err = errors.Join(err, l.breakStanding(context.WithoutCancel(ctx), objects))
		}
		return err
	})
}

// breakAll deletes all in one transaction, and if the kernel misses some of it, or
// something leads to it, what is there.
func (nftBackend) breakAll(ctx context.Context, values []value) error {
	objects, err := nftObjects(values)
	if err != nil {
		return err
	}
	return withNft(ctx, func(l *nftLink) error {
		_, err := l.apply(ctx, deleting(objects))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.EBUSY) {
			err = l.breakStanding(ctx, objects)
		}
		return err
	})
}

// exchange deletes and adds in one transaction, or in as few as the kernel lets it.
func (nftBackend) exchange(ctx context.Context, gone, come []value) error {
	old, err := nftObjects(gone)
	if err != nil {
		return err
	}
	fresh, err := nftObjects(come)
	if err != nil {
		return err
	}
	return withNft(ctx, func(l *nftLink) error {
		done, err := l.apply(ctx, exchanging(old, fresh))
		if err != nil && done > 0 {
			err = errors.Join(err, l.breakStanding(context.WithoutCancel(ctx), fresh))
		}
		return err
	})
}

func (nftBackend) breakBut(ctx context.Context, gone, stay []value) error {
	old, err := nftObjects(gone)
	if err != nil {
		return err
	}
	fresh, err := nftObjects(stay)
	if err != nil {
		return err
	}
	wanted := contents(fresh)
	old = slices.DeleteFunc(old, func(o nftObject) bool { _, stays := wanted[identity(o)]; return stays })
	return withNft(ctx, func(l *nftLink) error { return l.breakStanding(ctx, old) })
}

// breakStanding deletes those of the objects that are there: one that is gone
// already would make the whole transaction fail.
func (l *nftLink) breakStanding(ctx context.Context, objects []nftObject) error {
	state, err := l.read()
	if err != nil {
		return err
	}
	there := slices.DeleteFunc(slices.Clone(objects), func(o nftObject) bool { return !state.has(o) })
	_, err = l.apply(ctx, deleting(append(there, state.leading(there)...)))
	return err
}

// leading are the elements that lead to chains which go, and are none of those
// that go with them: of a change that was cut off, what came in the place of what
// goes may stand already.
func (s *nftState) leading(gone []nftObject) (list []nftObject) {
	going, chains, known := make(map[string]bool), make(map[string]bool), knownSets()
	for _, o := range gone {
		going[nftID(o)] = true
		if c, ok := o.(nftChain); ok {
			chains["jump "+c.name] = true
		}
	}
	if len(chains) == 0 {
		return nil
	}
	for _, name := range sortedKeys(s.sets) {
		set, ok := setNamed(known, name)
		for _, id := range sortedKeys(s.sets[name].elements) {
			e := s.sets[name].elements[id]
			one := nftElement{set: set, key: set.fields(e.low, e.end)}
			if ok && chains[e.data] && !going[nftID(one)] {
				list = append(list, one)
			}
		}
	}
	return list
}

func nftObjects(values []value) (objects []nftObject, err error) {
	for _, v := range values {
		list := v.nftables()
		if len(list) == 0 {
			return nil, fmt.Errorf("%s: there is no such thing with %s", v.Key(), Nftables)
		}
		objects = append(objects, list...)
	}
	return objects, checkNames(objects)
}
