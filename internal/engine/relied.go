package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
	"github.com/cnetlab/cnet/pkg/sysctl"
)

// forwards are the settings that make the host a router, and whether for IPv6.
var forwards = map[string]bool{"net.ipv4.ip_forward": false, "net.ipv6.conf.all.forwarding": true}

// relied takes out of a plan what others have come to rely on: forwarding is
// not switched off on a host that masquerades for somebody else, and neither is
// what a host that forwards needs. The facts stay in the ledger, so that a later
// change puts the settings back.
func (e *Engine) relied(ctx context.Context, p fact.Plan) (fact.Plan, error) {
	stays := make(map[bool]bool) // by family: forwarding stays on
	steps := make([]fact.Step, 0, len(p.Steps))
	for _, s := range p.Steps {
		set, ok := s.Fact.(sysctl.Setting)
		if ok && s.Verb == fact.Break && set.Found != set.Value {
			if ipv6, forward := forwards[set.Name]; forward {
				rule, err := nat.Foreign(ctx, ipv6)
				if err != nil && !errors.Is(err, fs.ErrPermission) { // who may not look may only plan
					return p, err
				}
				if stays[ipv6] = rule != ""; stays[ipv6] {
					e.note(fmt.Sprintf("%s stays %s: a rule that is not cnet's relies on it: %s", set.Name, set.Value, rule))
					continue
				}
			}
			if stays[true] && strings.HasSuffix(set.Name, "accept_ra") {
				continue
			}
		}
		steps = append(steps, s)
	}
	p.Steps = steps
	return p, nil
}
