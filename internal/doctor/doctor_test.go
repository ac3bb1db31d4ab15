package doctor

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
)

// What a sandbox cannot be made to have, because it belongs to the whole
// machine, is told to the checks here. The rest is in test/e2e.
func TestJudge(t *testing.T) {
	all := map[string]bool{"iptables": true, "ip6tables": true, "ip": true, "bridge": true, "sysctl": true, "nft": true, "conntrack": true}
	without := func(name string) map[string]bool {
		have := map[string]bool{}
		for k := range all {
			have[k] = k != name
		}
		return have
	}
	table := func(count, limit string) map[string]string {
		return map[string]string{"net.netfilter.nf_conntrack_count": count, "net.netfilter.nf_conntrack_max": limit}
	}
	six := Own{Topology: topology.Topology{Networks: []topology.Network{{Name: "lab", IPv6: true}}}}
	nftables := without("iptables")
	nftables["nftables"] = true
	four := Own{Topology: topology.Topology{Networks: []topology.Network{{Name: "lab", Firewall: nat.Iptables}}}}
	moved := Own{Topology: topology.Topology{Networks: []topology.Network{{Name: "lab", Firewall: nat.Nftables}}}}
	inner := Own{Topology: topology.Topology{Networks: []topology.Network{{Name: "lab", Driver: topology.Bridge, Internal: true}}}}
	served := inner
	served.Topology.Services = []topology.Service{{Name: "web", Network: "lab"}}
	changed := time.Date(2026, 3, 1, 12, 0, 0, 0, time.Local)
	for _, c := range []struct {
		name  string
		host  host
		about string
		want  Severity // empty: no finding of that theme
		says  string
	}{
		{"half a table", host{settings: table("50", "100")}, "conntrack", "", ""},
		{"a table filling", host{settings: table("80", "100")}, "conntrack", Warning, "80 of at most 100"},
		{"a full table", host{settings: table("100", "100")}, "conntrack", Error, "full"},
		{"no user namespaces, root", host{root: true, settings: map[string]string{"user.max_user_namespaces": "0"}}, "userns", Note, "cnet sandbox"},
		{"no user namespaces", host{settings: map[string]string{"kernel.unprivileged_userns_clone": "0"}}, "userns", Warning, "cnet sandbox"},
		{"AppArmor", host{settings: map[string]string{"kernel.apparmor_restrict_unprivileged_userns": "1"}}, "userns", Warning, "cnet sandbox"},
		{"user namespaces", host{settings: map[string]string{"user.max_user_namespaces": "100", "kernel.unprivileged_userns_clone": "1",
			"kernel.apparmor_restrict_unprivileged_userns": "0"}}, "userns", "", ""},
		{"no bridge", host{features: map[string]presence{"bridge": missing}}, "kernel", Error, "no bridge"},
		{"nobody knows", host{features: map[string]presence{"bridge": untold}}, "kernel", "", ""},
		{"all programs", host{}, "programs", "", ""},
		{"no iptables", host{have: without("iptables")}, "programs", Error, "networks cannot be made"},
		{"no ip6tables", host{have: without("ip6tables")}, "programs", Note, "IPv6"},
		{"no ip6tables, and IPv6", host{have: without("ip6tables"), own: six}, "programs", Error, "IPv6"},
		{"no iptables, and nftables", host{have: nftables}, "programs", Note, "kept with nftables"},
		{"no iptables any more", host{have: nftables, own: four}, "programs", Error, "cannot be changed"},
		{"no iptables, of which nothing is in need", host{have: nftables, own: moved}, "programs", Note, "kept with nftables"},
		{"no nft", host{have: without("nft")}, "programs", Note, "nft"},
		{"IPv6 not forwarded", host{own: six, settings: map[string]string{forward4: "1", forward6: "0"}}, "forwarding", Error, "IPv6"},
		{"not forwarded, to a service within", host{own: served, settings: map[string]string{forward4: "0"}}, "forwarding", Error, "service"},
		{"not forwarded, to nobody", host{own: inner, settings: map[string]string{forward4: "0"}}, "forwarding", "", ""},
		{"br_netfilter off", host{settings: map[string]string{"net.bridge.bridge-nf-call-iptables": "0"}}, "br_netfilter", "", ""},
		{"br_netfilter absent", host{}, "br_netfilter", Note, "not loaded"},
		{"twins", host{twin: "iptables-legacy"}, "legacy", Warning, "iptables-legacy has rules, too"},
		{"who flushed", host{own: Own{Changed: changed}, lost: topology.Compile(topology.Topology{}).Facts}, "flush", "", ""},
		{"a restart since", host{own: Own{Changed: changed}, lost: []fact.Fact{nat.Hook{}},
			restarts: []restart{{"ufw.service", changed.Add(-time.Hour)}, {"iptables.service", changed.Add(time.Hour)}}},
			"flush", Error, "iptables.service has started since, at 2026-03-01 13:00:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.host.have == nil {
				c.host.have = all
			}
			var got []Finding
			for _, f := range c.host.judge() {
				if f.Seen == "" || (f.Mend == "") == (f.Advice == "") || !strings.HasSuffix(f.Say, ".") {
					t.Errorf("not whole: %+v", f)
				}
				if f.About == c.about {
					got = append(got, f)
				}
			}
			switch {
			case c.want == "" && len(got) == 0:
			case len(got) != 1 || got[0].Severity != c.want || !strings.Contains(got[0].Say, c.says):
				t.Errorf("found %+v", got)
			}
			if strings.Contains(fmt.Sprint(got), "ufw.service") {
				t.Errorf("named though it started before: %+v", got)
			}
		})
	}
}

func TestParseRestarts(t *testing.T) {
	const text = "Id=iptables.service\nActiveEnterTimestamp=\n\nId=docker.service\nActiveEnterTimestamp=@1700000000\n"
	got := parseRestarts(text)
	if len(got) != 1 || got[0].unit != "docker.service" || got[0].at.Unix() != 1700000000 {
		t.Errorf("read %+v", got)
	}
}
