package cli

import (
	"context"
	"errors"
	"time"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/proc"
	"github.com/cnetlab/cnet/internal/topology"
)

// endProcesses ends what `cnet exec -d` started in containers that are not
// there any more after a change.
func (a *app) endProcesses(ctx context.Context, after topology.Topology) error {
	names, err := proc.Containers()
	if err != nil {
		return err
	}
	var errs []error
	ended := false
	for _, name := range names {
		if _, err := after.Container(name); err != nil {
			errs = append(errs, proc.End(ctx, name, a.exists(name) == nil))
			ended = true
		}
	}
	if ended {
		errs = append(errs, a.clear(ctx))
	}
	return errors.Join(errs...)
}

// clear removes the store's folders if the files of processes were the last
// thing in them. Where another cnet has the lock, that one does it at its end.
func (a *app) clear(ctx context.Context) error {
	err := a.await(ctx, 0)
	if fail.KindOf(err) == fail.Locked {
		return nil
	}
	return err
}

// await waits until no change is under way.
func (a *app) await(ctx context.Context, wait time.Duration) error {
	e := a.engine()
	lock, err := e.Store.Lock(ctx, wait, typed())
	if err != nil {
		return err
	}
	defer lock.Unlock()
	e.Store.Clear()
	return nil
}
