package netns

import (
	"context"
	"errors"
	"fmt"

	"github.com/cnetlab/cnet/pkg/fact"
)

// OwnLink is a link that one may delete, unless it bears another alias than this.
type OwnLink struct{ Netns, Name, Alias string }

// DeleteLinks deletes links. One that is not there is fine, and one by the name
// that has another alias is another's, and stays.
//
// To delete a link, the kernel waits until no processor has it in its hands:
// some 20 ms, for a thousand links of one message as for one. So the links of a
// namespace are put in a group that no other link is in, and the group is deleted:
//
//	ip link set dev web-eth0 down group 1668179316
//	ip link set dev db-eth0 down group 1668179316
//	ip link delete group 1668179316
//
// When they are down nothing passes, and the waiting is left for [fact.Later].
// Source: "group" in ip-link(8), "RCU" in the kernel's documentation.
func DeleteLinks(ctx context.Context, links ...OwnLink) error {
	in := make(map[string][]OwnLink)
	for _, l := range links {
		in[l.Netns] = append(in[l.Netns], l)
	}
	for path, list := range in {
		err := deleteIn(ctx, path, list)
		if Gone(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("delete %s in %s: %w", sayAll(list), Say(path), err)
		}
	}
	return nil
}

func sayAll(links []OwnLink) string {
	if len(links) == 1 {
		return "link " + links[0].Name
	}
	return fmt.Sprintf("%d links from %s to %s", len(links), links[0].Name, links[len(links)-1].Name)
}

func deleteIn(ctx context.Context, path string, links []OwnLink) error {
	c, err := dial(path) // of its own: it is blocked while the kernel waits
	if err != nil {
		return err
	}
	b, err := c.bundle(links)
	if err != nil || len(b.links) == 0 {
		c.close()
		return err
	}
	if err = b.unplug(); err == nil {
		err = fact.Reach(ctx, "delete "+sayAll(links))
	}
	if err != nil {
		defer c.close()
		return errors.Join(err, b.plug())
	}
	return fact.Later(ctx, func() error {
		defer c.close()
		if err := b.delete(); err != nil && !Gone(err) {
			return fmt.Errorf("delete %s in %s: %w", sayAll(links), Say(path), errors.Join(err, b.plug()))
		}
		return nil
	})
}
