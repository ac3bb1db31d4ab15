package doctor

import (
	"fmt"
	"strings"

	"github.com/cnetlab/cnet/internal/topology"
	"github.com/cnetlab/cnet/pkg/nat"
)

// journey is a kind of packet that has to pass, at each hook on its way.
type journey struct {
	what  string
	hooks map[string]nat.Packet
}

// chains judges every chain by what it does to the packets of networks.
func chains(h host) []Finding {
	var list []Finding
	for _, c := range h.chains {
		of := h.networks()[0]
		var worst nat.Fate
		var what string
		for _, n := range h.networks() {
			for _, j := range h.journeys(n, c.Family) {
				p, ok := j.hooks[c.Hook]
				if !ok {
					continue
				}
				if fate := c.Fate(p); fate.Outcome > worst.Outcome {
					worst, what, of = fate, j.what, n
				}
			}
		}
		if f, ok := h.drop(c, worst, what, jumpsFirst(c, of)); ok {
			list = append(list, f)
		}
	}
	return list
}

// journeys of a network's packets through chains of a family.
func (h host) journeys(n topology.Network, family string) []journey {
	link := linkOf(n)
	if family == "bridge" {
		p := nat.Packet{In: link, Out: link}
		return []journey{{"what its containers send each other", map[string]nat.Packet{"prerouting": p, "forward": p, "postrouting": p}},
			{"what its containers send", map[string]nat.Packet{"input": {In: link}}}}
	}
	var list []journey
	for _, ipv6 := range []bool{false, true} {
		if ipv6 && !n.IPv6 || family == "ip" && ipv6 || family == "ip6" && !ipv6 {
			continue
		}
		list = append(list, h.through(n, link, ipv6)...)
	}
	return list
}

func (h host) through(n topology.Network, link string, ipv6 bool) []journey {
	inside := n.Gateway.Next()
	if ipv6 {
		inside = n.Gateway6.Next()
	}
	toHost := journey{"to the host itself", map[string]nat.Packet{"input": {In: link, Src: inside, IPv6: ipv6}}}
	if n.Internal {
		return []journey{toHost}
	}
	up, own := "", n.Firewall != nat.Nftables
	if ways := h.uplinks(ipv6); len(ways) > 0 {
		up = ways[0].Link
	}
	return []journey{
		{"sent out", map[string]nat.Packet{
			"prerouting":  {In: link, Src: inside, IPv6: ipv6},
			"forward":     {In: link, Out: up, Src: inside, IPv6: ipv6, Allowed: own},
			"postrouting": {Out: up, Src: inside, IPv6: ipv6},
		}},
		{"for published ports", map[string]nat.Packet{
			"prerouting":  {In: up, IPv6: ipv6},
			"forward":     {In: up, Out: link, Dst: inside, IPv6: ipv6, Translated: true, Allowed: own},
			"postrouting": {Out: link, Dst: inside, IPv6: ipv6, Translated: true},
		}},
		toHost,
	}
}

// drop words what a chain does to the packets of a network. In the first, cnet's
// jump stands before all other rules.
func (h host) drop(c nat.Chain, fate nat.Fate, what string, first bool) (Finding, bool) {
	f := Finding{About: "firewall", Seen: c.Show(fate.Chain)}
	name := upper(c.String())
	switch {
	case first && (!h.exist() || fate.Outcome == nat.Passes):
		if fate.Outcome == nat.Passes && c.Policy != "drop" {
			return f, false
		}
		f.Severity, f.Seen = Note, c.Show(c.Name)
		f.Say = name + " drops some or all of what is forwarded. cnet's jump stands first in it, and passes what containers send and are sent."
		f.Advice = "Nothing."
	case fate.Outcome == nat.Passes:
		return f, false
	case c.Hook == "input":
		f.Severity = Note
		f.Say = fmt.Sprintf("%s drops some or all of what containers send to the host itself: %s. Published ports and the way out do not need it; names do.", name, fate.By)
		f.Advice = "Let port 53 of UDP and TCP pass, by which containers ask for names; else nothing, unless they use services of the host."
	case fate.Outcome == nat.DropsSome:
		f.Severity = Note
		f.Say = fmt.Sprintf("%s drops some packets %s: %s.", name, what, fate.By)
		f.Advice = "Nothing, if that is meant."
	default:
		f.Severity = map[nat.Outcome]Severity{nat.MightDrop: Warning, nat.DropsThese: Error}[fate.Outcome]
		f.Say = fmt.Sprintf("%s drops packets %s: %s.%s", name, what, fate.By, overriding(c, first))
		f.Mend, f.Advice = letPass(c, first)
	}
	return f, true
}

// overriding says whether cnet's own rules could help.
func overriding(c nat.Chain, first bool) string {
	if first {
		return " It does so before cnet's jump."
	}
	return " No rule of cnet's, in its own tables, can override that."
}

// letPass is a command that lets cnet's packets pass a chain, or the advice.
func letPass(c nat.Chain, first bool) (command, advice string) {
	const jump = "FORWARD -m comment --comment cnet -j CNET-FORWARD"
	in := map[string][]string{"prerouting": {"i"}, "forward": {"i", "o"}}[c.Hook]
	switch {
	case first:
		return fmt.Sprintf("%s -D %s; %s -I %s", c.Program, jump, c.Program, strings.Replace(jump, "FORWARD", "FORWARD 1", 1)), ""
	case c.Family == "bridge":
		return "", fmt.Sprintf("Take that rule out, or let cnet's bridges pass: nft insert rule bridge %s %s meta ibrname 'cnet*' accept", c.Table, c.Name)
	case in == nil || c.Hook == "prerouting" && c.Program != "nft":
		return "", "Take that rule out, or let packets of the links cnet* pass before it."
	}
	var words []string
	for _, d := range in {
		if c.Program == "nft" {
			words = append(words, fmt.Sprintf("nft insert rule %s %s %s %sifname 'cnet*' accept", c.Family, c.Table, c.Name, d))
		} else {
			words = append(words, fmt.Sprintf("%s -t %s -I %s 1 -%s cnet+ -j ACCEPT", c.Program, c.Table, c.Name, d))
		}
	}
	return strings.Join(words, "; "), ""
}

// twins: rules in the legacy tables and in nf_tables.
func twins(h host) []Finding {
	if h.twin == "" {
		return nil
	}
	return one(Finding{Severity: Warning, About: "legacy", Seen: h.twin + "-save",
		Say:    fmt.Sprintf("Beside iptables, %s has rules, too. Packets pass both, and iptables shows only its own.", h.twin),
		Advice: "Keep rules in one of the two: move them, then flush " + h.twin + "."})
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
