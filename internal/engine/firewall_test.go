package engine

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
)

// twoNetworks have all kinds of rules, for both families.
func twoNetworks(lab, other string) topology.Topology {
	ip := netip.MustParseAddr
	return topology.Topology{
		Networks: []topology.Network{
			{Name: "lab", Driver: topology.Bridge, Firewall: lab, MTU: 1500, IPv6: true,
				Subnet: netip.MustParsePrefix("10.77.0.0/24"), Gateway: ip("10.77.0.1"),
				Subnet6: netip.MustParsePrefix("fd77::/64"), Gateway6: ip("fd77::1")},
			{Name: "other", Driver: topology.PTP, Firewall: other, MTU: 1500, Internal: true,
				Subnet: netip.MustParsePrefix("10.77.1.0/24"), Gateway: ip("10.77.1.1")},
		},
		Containers: []topology.Container{{
			Name:     "web",
			Networks: []topology.Attachment{{Network: "lab", Interface: "eth0", IP: ip("10.77.0.2"), IP6: ip("fd77::2")}},
			Publish:  []topology.Port{{Host: 53, HostEnd: 53, To: 53, Proto: "udp"}},
		}},
	}
}

// A host that moves has every rule made anew before its like is broken, and
// nothing of which a rule that still stands is in need.
func TestHandOver(t *testing.T) {
	const ipt, nft = nat.Iptables, nat.Nftables
	for _, c := range []struct {
		name          string
		before, after topology.Topology
		moves         bool
	}{
		{"to nftables", twoNetworks(ipt, ipt), twoNetworks(nft, nft), true},
		{"back", twoNetworks(nft, nft), twoNetworks(ipt, ipt), true},
		{"one of two", twoNetworks(ipt, ipt), twoNetworks(nft, ipt), true},
		{"together again", twoNetworks(ipt, nft), twoNetworks(nft, nft), true},
		{"none", twoNetworks(nft, nft), twoNetworks(nft, nft), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := moves(Change{Before: c.before, After: c.after}); got != c.moves {
				t.Errorf("moves: %v", got)
			}
			made, wanted := topology.Compile(c.before).Facts, topology.Compile(c.after)
			there := fact.Index(made)
			for _, s := range handOver(fact.Diff(made, wanted.Facts), wanted.Owner).Steps {
				k := s.Fact.Key()
				if s.Verb == fact.Make {
					there[k] = s.Fact
					continue
				}
				delete(there, k)
				if p, ok := s.Fact.(nat.Publish); ok && !p.Inherited {
					t.Errorf("%s: its flows would end", k)
				}
				if heirs := nat.Heirs(s.Fact); !strings.Contains(k.Name, nat.RoleTable) && !anyIn(heirs, there) {
					t.Errorf("%s is broken before any of %v is made", k, heirs)
				}
				for _, f := range there {
					if fact.DependsOn(f, map[fact.Key]bool{k: true}) {
						t.Errorf("%s is broken while %s stands on it", k, f.Key())
					}
				}
			}
			for _, f := range wanted.Facts {
				if there[f.Key()] == nil {
					t.Errorf("%s is not there in the end", f.Key())
				}
				delete(there, f.Key())
			}
			for k := range there {
				t.Errorf("%s is left", k)
			}
		})
	}
}

func anyIn(keys []fact.Key, in map[fact.Key]fact.Fact) bool {
	for _, k := range keys {
		if in[k] != nil {
			return true
		}
	}
	return false
}
