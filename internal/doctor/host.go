package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
	"github.com/cnetlab/cnet/pkg/route"
)

// Own is what cnet's own files say.
type Own struct {
	Topology topology.Topology
	Made     []fact.Fact // what was made in this boot
	Changed  time.Time   // when that was written
	Pending  string      // the command that was cut off in the middle
	Err      error       // the files could not be read
}

// host is what was read of this host: all that the checks know.
type host struct {
	own      Own
	root     bool
	settings map[string]string // by the name that sysctl(8) uses; absent ones are not in it
	chains   []nat.Chain
	lost     []fact.Fact // rules that were made and are gone
	left     []fact.Fact // what carries cnet's mark and nobody wants
	twin     string      // the other iptables, if it has rules
	routes   []route.Known
	running  map[string]bool // names of processes
	restarts []restart       // services that touch rules, and when they came up
	have     map[string]bool // programs
	features map[string]presence
	unseen   []string
}

// settings that the checks ask for; a * stands for each link.
var settingNames = [...]string{
	"net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv4.conf.*.rp_filter",
	"net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables", "net.bridge.bridge-nf-call-arptables",
	"net.netfilter.nf_conntrack_count", "net.netfilter.nf_conntrack_max",
	"user.max_user_namespaces", "kernel.unprivileged_userns_clone", "kernel.apparmor_restrict_unprivileged_userns",
}

func read(ctx context.Context, own Own) host {
	h := host{own: own, root: os.Geteuid() == 0, settings: make(map[string]string)}
	for _, name := range settingNames {
		h.readSetting(name)
	}
	var err error
	h.routes, err = route.All(ctx)
	h.miss("routes", err)
	h.running = processes()
	h.have = programs()
	h.features = kernelFeatures(ctx)
	h.restarts = restarts(ctx)
	h.readRules(ctx)
	h.left, err = leftBehind(ctx, own)
	h.miss("what cnet left behind", err)
	return h
}

// readRules reads the firewall, which only root may.
func (h *host) readRules(ctx context.Context) {
	native, err := nat.NativeChains(ctx)
	h.miss("the tables of nft", err)
	h.chains = native
	for _, ipv6 := range []bool{false, true} {
		name := map[bool]string{false: "iptables", true: "ip6tables"}[ipv6]
		saved, err := nat.SavedChains(ctx, ipv6)
		h.miss("the rules of "+name, err)
		h.chains = append(h.chains, saved...)
		if twin, err := nat.Twin(ctx, ipv6); err == nil && twin != "" && h.twin == "" {
			h.twin = twin
		}
	}
	h.lost, err = lost(ctx, h.own.Made)
	h.miss("cnet's own rules", err)
}

// readSetting reads a setting from /proc/sys, or one of each link.
func (h *host) readSetting(name string) {
	const root = "/proc/sys/"
	paths, _ := filepath.Glob(root + strings.ReplaceAll(name, ".", "/"))
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			h.miss(name, err)
			continue
		}
		key := name
		if before, after, ok := strings.Cut(name, "*"); ok {
			link := strings.TrimPrefix(filepath.Dir(path), root+strings.ReplaceAll(before, ".", "/"))
			key = before + strings.ReplaceAll(link, ".", "/") + after
		}
		h.settings[key] = strings.TrimSpace(string(b))
	}
}

// miss notes what could not be looked at.
func (h *host) miss(what string, err error) {
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist), errors.Is(err, exec.ErrNotFound): // a program that is absent is a finding
	case errors.Is(err, fs.ErrPermission):
		h.unseen = append(h.unseen, what+": only root may look")
	default:
		h.unseen = append(h.unseen, fmt.Sprintf("%s: %v", what, err))
	}
}

// networks are those of cnet, or one that cnet would make.
func (h host) networks() []topology.Network {
	if len(h.own.Topology.Networks) > 0 {
		return h.own.Topology.Networks
	}
	n := topology.Network{Name: "lab", Driver: topology.Bridge, Subnet: topology.Pool(), Firewall: nat.Iptables}
	if !h.have["iptables"] {
		n.Firewall = nat.Nftables
	}
	n.Gateway = n.Subnet.Addr().Next()
	return []topology.Network{n}
}

// exist reports whether cnet has networks.
func (h host) exist() bool { return len(h.own.Topology.Networks) > 0 }

// uplinks are the links of the default routes, the VPN's halves first.
func (h host) uplinks(ipv6 bool) []route.Known {
	var halves, wholes []route.Known
	for _, r := range h.routes {
		switch {
		case r.Dst.Addr().Is6() != ipv6 || r.Link == "":
		case r.Dst.Bits() == 1:
			halves = append(halves, r)
		case r.Dst.Bits() == 0:
			wholes = append(wholes, r)
		}
	}
	return append(halves, wholes...)
}
