package engine

import (
	"context"

	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/nat"
)

// Redirected is what the rules of a sidecar have counted since they were made: the
// connections that the container made and that were led to its proxy, and those
// that the proxy made itself.
type Redirected struct {
	Taken uint64 `json:"taken"`
	Own   uint64 `json:"own"`
}

// Redirected reads what the rules of a container's sidecar have counted, of both
// families.
func (e *Engine) Redirected(ctx context.Context, k topology.Container) (sum Redirected, err error) {
	t, err := e.Topology()
	if err != nil {
		return sum, err
	}
	only := topology.Scope{"container " + k.Name: true}
	for _, f := range topology.CompileOnly(t, only).Facts {
		r, ok := f.(nat.Redirect)
		if !ok || r.Inbound {
			continue
		}
		taken, own, err := r.Counts(ctx)
		if err != nil {
			return sum, explainFailure("sidecar of "+k.Name, err)
		}
		sum.Taken += taken.Packets
		sum.Own += own.Packets
	}
	return sum, nil
}
