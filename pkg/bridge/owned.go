package bridge

import (
	"context"

	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
)

// Owned returns the bridges of the host whose alias says that they are cnet's
// ("cnet ...").
func Owned(ctx context.Context) ([]fact.Fact, error) {
	links, err := netns.OwnedLinks(ctx, "bridge")
	facts := make([]fact.Fact, len(links))
	for i, a := range links {
		facts[i] = Bridge{Name: a.Name, MAC: a.HardwareAddr.String(), MTU: a.MTU, Alias: a.Alias}
	}
	return facts, err
}
