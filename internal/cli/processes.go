package cli

import (
	"context"
	"errors"

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
			errs = append(errs, proc.End(ctx, name))
			ended = true
		}
	}
	if ended {
		errs = append(errs, a.clear(ctx))
	}
	return errors.Join(errs...)
}

// clear removes the store's folders if the files of processes were the last
// thing in them.
func (a *app) clear(ctx context.Context) error {
	e := a.engine()
	lock, err := e.Store.Lock(ctx, e.Wait, typed())
	if err != nil {
		return err
	}
	defer lock.Unlock()
	e.Store.Clear()
	return nil
}
