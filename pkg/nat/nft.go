package nat

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/pkg/fact"
)

// nftBackend keeps facts in table inet cnet, by netlink: what is there once for
// all is a skeleton of chains and maps, and a fact is an element of a map, with
// a chain of its own where it has more to say.
type nftBackend struct{}

// available asks the kernel for the generation of its rules: a kernel without
// nf_tables does not know what that is. Who may not ask learns so later.
func (nftBackend) available(bool) error {
	l, err := openNft()
	if err != nil {
		return err
	}
	defer l.close()
	err = l.dump(nftMessage{kind: unix.NFT_MSG_GETTABLE}, func([]byte) {})
	if errors.Is(err, unix.EPERM) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("this kernel has no nf_tables: %w", err)
	}
	return nil
}

func (nftBackend) check(v value) error {
	objects := v.nftables()
	if len(objects) == 0 {
		return fmt.Errorf("%s: there are no such rules with %s", v.Key(), Nftables)
	}
	return checkNames(objects)
}

// makeAll makes all in one transaction, or in as few as the kernel lets it.
func (nftBackend) makeAll(ctx context.Context, values []value) error {
	objects := nftObjects(values)
	return withNft(ctx, func(l *nftLink) error {
		done, err := l.apply(ctx, adding(objects))
		if err != nil && done > 0 {
			err = errors.Join(err, l.breakStanding(context.WithoutCancel(ctx), objects))
		}
		return err
	})
}

// breakAll deletes all in one transaction, and if the kernel misses some of it,
// what is there.
func (nftBackend) breakAll(ctx context.Context, values []value) error {
	objects := nftObjects(values)
	return withNft(ctx, func(l *nftLink) error {
		_, err := l.apply(ctx, deleting(objects))
		if errors.Is(err, fs.ErrNotExist) {
			err = l.breakStanding(ctx, objects)
		}
		return err
	})
}

// exchange deletes and adds in one transaction, or in as few as the kernel lets it.
func (nftBackend) exchange(ctx context.Context, gone, come []value) error {
	fresh := nftObjects(come)
	return withNft(ctx, func(l *nftLink) error {
		done, err := l.apply(ctx, append(deleting(nftObjects(gone)), adding(fresh)...))
		if err != nil && done > 0 {
			err = errors.Join(err, l.breakStanding(context.WithoutCancel(ctx), fresh))
		}
		return err
	})
}

// breakStanding deletes those of the objects that are there: one that is gone
// already would make the whole transaction fail.
func (l *nftLink) breakStanding(ctx context.Context, objects []nftObject) error {
	state, err := l.read()
	if err != nil {
		return err
	}
	_, err = l.apply(ctx, deleting(slices.DeleteFunc(objects, func(o nftObject) bool { return !state.has(o) })))
	return err
}

func nftObjects(values []value) (objects []nftObject) {
	for _, v := range values {
		objects = append(objects, v.nftables()...)
	}
	return objects
}

func (nftBackend) commands(verb fact.Verb, v value) (list []fact.Command) {
	objects := v.nftables()
	switch verb {
	case fact.Make:
		for _, o := range objects {
			list = append(list, nftCommand(o.addWords()))
		}
	case fact.Break:
		slices.Reverse(objects)
		for i, o := range objects {
			if !flushed(objects[:i], o) {
				list = append(list, nftCommand(o.delWords()))
			}
		}
	case fact.Show:
		for _, o := range objects {
			show := nftCommand(o.showWords())
			if !slices.ContainsFunc(list, func(c fact.Command) bool { return slices.Equal(c.Argv, show.Argv) }) {
				list = append(list, show)
			}
		}
	}
	return list
}

func nftCommand(words []string) fact.Command { return fact.Cmd(append([]string{"nft"}, words...)...) }
