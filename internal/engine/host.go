package engine

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/sockets"
	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/cnetlab/cnet/pkg/route"
)

// host answers the topology's questions from the kernel.
type host struct {
	ctx      context.Context
	firewall string
	note     func(string) // tells the user what is worth knowing
}

var _ topology.Host = (*host)(nil)

func (h *host) Taken() ([]topology.Taken, error) {
	list, err := route.Taken(h.ctx)
	out := make([]topology.Taken, 0, len(list))
	for _, t := range list {
		out = append(out, topology.Taken{Prefix: t.Prefix, By: t.By})
	}
	return out, err
}

func (h *host) MTU() (int, error) { return route.DefaultMTU(h.ctx) }

func (h *host) RAUplinks() ([]string, error) { return route.RAUplinks(h.ctx) }

func (h *host) BridgeFilter() bool {
	_, err := os.Stat("/proc/sys/net/bridge/bridge-nf-call-iptables")
	return err == nil
}

func (h *host) Resolvers() (servers, search []string) { return resolvers("/etc/resolv.conf") }

func (h *host) Listener(ports []topology.Port, spared []netip.AddrPort) (at topology.Port, by string, err error) {
	all, rest := make(map[string][]sockets.Socket), make(map[string][]sockets.Socket)
	for _, p := range ports {
		if _, known := all[p.Proto]; !known {
			list, err := sockets.Waiting(p.Proto)
			if err != nil {
				return p, "", err
			}
			all[p.Proto] = list
			rest[p.Proto] = slices.DeleteFunc(slices.Clone(list), func(s sockets.Socket) bool {
				return slices.Contains(spared, netip.AddrPortFrom(s.Addr().Unmap(), s.Port()))
			})
		}
		list := rest[p.Proto]
		if p.HostIP.IsValid() && !p.HostIP.IsUnspecified() {
			list = all[p.Proto]
		}
		if s := sockets.At(list, p.HostIP, p.Host, p.HostEnd); s != nil {
			return p, s.Holder(), nil
		}
	}
	return topology.Port{}, "", nil
}

func (h *host) IPv6() error {
	off, err := os.ReadFile("/proc/sys/net/ipv6/conf/all/disable_ipv6")
	if err != nil || strings.TrimSpace(string(off)) != "0" {
		return fail.New(fail.HostLacks, "IPv6", "it is switched off on this host").
			Try("sysctl -w net.ipv6.conf.all.disable_ipv6=0, or leave --ipv6 out")
	}
	return nil
}

func (h *host) Namespace(path string) (topology.NamespaceID, error) {
	what := "namespace " + path
	if err := netns.Check(path); err != nil {
		kind := fail.Usage
		if errors.Is(err, fs.ErrNotExist) {
			kind = fail.NotFound
		}
		return topology.NamespaceID{}, fail.New(kind, what, "%w", err).Try("--netns with a path like /proc/PID/ns/net or /run/netns/NAME")
	}
	own, err := netns.Inode("/proc/thread-self/ns/net")
	if err != nil {
		return topology.NamespaceID{}, err
	}
	id, err := netns.Inode(path)
	if err != nil {
		return topology.NamespaceID{}, err
	}
	if id == own {
		return topology.NamespaceID{}, fail.New(fail.Usage, what, "it is the host's own").Try("cnet create NAME, to make one")
	}
	boot, err := bootID()
	return topology.NamespaceID{Inode: id, Boot: boot}, err
}

func (h *host) Exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
