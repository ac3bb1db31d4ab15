package engine

import (
	"context"
	"os"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/sockets"
	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/nat"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/cnetlab/cnet/pkg/route"
)

// host answers the topology's questions from the kernel.
type host struct {
	ctx      context.Context
	firewall string
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

// Firewall is the backend that was asked for, or the first that the host has.
func (h *host) Firewall() (string, error) {
	name := h.firewall
	if name == "" || name == "auto" {
		name = nat.Iptables
	}
	if err := nat.Available(name, false); err != nil {
		return "", explainFailure("firewall "+name, err)
	}
	return name, nil
}

func (h *host) BridgeFilter() bool {
	_, err := os.Stat("/proc/sys/net/bridge")
	return err == nil
}

func (h *host) Resolvers() (servers, search []string) { return resolvers("/etc/resolv.conf") }

func (h *host) Listener(p topology.Port) (string, error) {
	return sockets.Holder(p.Proto, p.HostIP, p.Host, p.HostEnd)
}

func (h *host) Namespace(path string) error {
	if err := netns.Check(path); err != nil {
		kind := fail.Usage
		if os.IsNotExist(err) {
			kind = fail.NotFound
		}
		return fail.New(kind, "adopt "+path, "%w", err).Try("--netns with a path like /proc/PID/ns/net or /run/netns/NAME")
	}
	return nil
}

func (h *host) Exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
