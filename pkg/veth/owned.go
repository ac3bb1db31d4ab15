package veth

import (
	"context"
	"fmt"
	"strings"

	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/vishvananda/netlink"
)

// Owned returns the veth pairs of the host whose alias says that they are
// cnet's ("cnet ..."), each with what it takes to delete it: the name and the
// alias of the host's end.
func Owned(ctx context.Context) (facts []fact.Fact, err error) {
	err = netns.With(ctx, "", func(h *netlink.Handle) error {
		links, err := netns.Retry(h.LinkList)
		if err != nil {
			return fmt.Errorf("list links: %w", err)
		}
		for _, l := range links {
			if a := l.Attrs(); l.Type() == "veth" && strings.HasPrefix(a.Alias, "cnet ") {
				facts = append(facts, Pair{Name: a.Name, MAC: a.HardwareAddr.String(), MTU: a.MTU, Alias: a.Alias})
			}
		}
		return nil
	})
	return facts, err
}
