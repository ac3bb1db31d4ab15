package topology

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/cnetlab/cnet/pkg/nat"
)

// TestOverlappingNetworks has each address masqueraded once where the maps of
// nf_tables ask for it, and by each network where rules do.
func TestOverlappingNetworks(t *testing.T) {
	network := func(name, subnet, firewall string) Network {
		p := netip.MustParsePrefix(subnet)
		return Network{Name: name, Driver: Bridge, Subnet: p, Gateway: p.Addr().Next(), AllowOverlap: true, Firewall: firewall}
	}
	for firewall, want := range map[string]string{nat.Nftables: "apart big", nat.Iptables: "apart big equal small"} {
		topo := Topology{Networks: []Network{
			network("apart", "10.8.0.0/24", firewall), network("big", "10.7.0.0/16", firewall),
			network("equal", "10.7.0.0/16", firewall), network("small", "10.7.1.0/24", firewall),
		}}
		without := Topology{Networks: append(topo.Networks[:1:1], topo.Networks[2:]...)}
		masqueraded := func(t Topology) string {
			var names []string
			for _, f := range Compile(t).Facts {
				if m, ok := f.(nat.Masquerade); ok {
					names = append(names, m.Network)
				}
			}
			return strings.Join(names, " ")
		}
		if got := masqueraded(topo); got != want {
			t.Errorf("%s: masquerade of %s, want %s", firewall, got, want)
		}
		scope := Touched(topo, without)
		if got := masqueraded(without); firewall == nat.Nftables && (got != "apart equal" || !scope["network equal"] || scope["network apart"]) {
			t.Errorf("without big: masquerade of %s, scope %v", got, scope)
		}
	}
}
