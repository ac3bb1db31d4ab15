package netns

import (
	"context"
	"fmt"

	"github.com/cnetlab/cnet/pkg/fact"
	"golang.org/x/sys/unix"
)

// Named is a network namespace of its own, pinned at /run/netns/NAME. By hand:
//
//	ip netns add web
//
// The folder must be there (see [Dir]). Source: ip-netns(8), unshare(2).
type Named struct {
	Path string `json:"path"`
}

func (n Named) Key() fact.Key { return fact.Key{Kind: "netns.named", Name: n.Path} }

func (n Named) Say() string { return fmt.Sprintf("There is a network namespace %s.", Say(n.Path)) }

// Creates marks a [fact.Creator].
func (Named) Creates() {}

func (n Named) Why() string {
	return "There would be no network stack of its own to give addresses and routes to."
}

func (n Named) Probe(context.Context) (fact.Truth, error) { return truth(n.Path) }

// Make fails with fs.ErrExist if the path is taken.
func (n Named) Make(ctx context.Context) error {
	err := pin(ctx, n.Path, func() error {
		return onThread(func() error {
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				return err
			}
			if err := mount("/proc/thread-self/ns/net", n.Path, unix.MS_BIND); err != nil {
				return err
			}
			_ = enter(ctx, n.Path) // if it fails it does so again when there is need of it
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("create network namespace %s: %w", Say(n.Path), err)
	}
	return nil
}

func (n Named) Break(ctx context.Context) error {
	forget(ctx, n.Path)
	if err := unpin(n.Path); err != nil {
		return fmt.Errorf("delete network namespace %s: %w", Say(n.Path), err)
	}
	return nil
}

func (n Named) Commands(v fact.Verb) []fact.Command {
	short, ok := name(n.Path)
	switch {
	case v == fact.Show:
		return []fact.Command{IP(n.Path, "link")}
	case v == fact.Break && ok:
		return []fact.Command{fact.Cmd("ip", "netns", "del", short)}
	case v == fact.Break:
		return unpinCommands(n.Path)
	case ok:
		return []fact.Command{fact.Cmd("ip", "netns", "add", short)}
	}
	return []fact.Command{fact.Cmd("touch", n.Path), fact.Cmd("unshare", "--net="+n.Path, "true")}
}

func unpinCommands(path string) []fact.Command {
	return []fact.Command{fact.Cmd("umount", path), fact.Cmd("rm", path)}
}
