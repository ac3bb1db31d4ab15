package veth

import (
	"context"

	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
)

// Owned returns the veth pairs of the host whose alias says that they are
// cnet's ("cnet ..."), each with what it takes to delete it: the name and the
// alias of the host's end.
func Owned(ctx context.Context) ([]fact.Fact, error) {
	links, err := netns.OwnedLinks(ctx, "veth")
	facts := make([]fact.Fact, len(links))
	for i, a := range links {
		facts[i] = Pair{Name: a.Name, MAC: a.HardwareAddr.String(), MTU: a.MTU, Alias: a.Alias}
	}
	return facts, err
}
