package nat

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables"
)

// NativeChains returns the base chains of nf_tables that are neither cnet's own
// nor shown by the iptables of this host (see [SavedChains]): of firewalld, of
// /etc/nftables.conf, of anybody who uses nft(8). It only reads. Where the user
// may not look, the error wraps syscall.EPERM.
func NativeChains(ctx context.Context) ([]Chain, error) {
	conn, err := nftables.New()
	if err != nil {
		return nil, fmt.Errorf("list nf_tables: %w", err)
	}
	all, err := conn.ListChains()
	if err != nil {
		return nil, fmt.Errorf("list nf_tables: %w", err)
	}
	tables := make(map[string]map[string][]judged)
	var list []Chain
	for _, c := range all {
		if !isBase(c) || ownTable(c.Table) || shown(c) || ctx.Err() != nil {
			continue
		}
		key := familyName(c.Table.Family) + " " + c.Table.Name
		if tables[key] == nil {
			if tables[key], err = readTable(conn, c.Table, all); err != nil {
				return nil, fmt.Errorf("list table %s: %w", key, err)
			}
		}
		list = append(list, native(c, tables[key]))
	}
	return list, ctx.Err()
}

func native(c *nftables.Chain, rules map[string][]judged) Chain {
	b := Chain{Program: "nft", Family: familyName(c.Table.Family), Table: c.Table.Name, Name: c.Name, rules: rules,
		Hook: hookNames[*c.Hooknum], Policy: "accept"}
	if c.Priority != nil {
		b.Priority = int(*c.Priority)
	}
	if c.Policy != nil && *c.Policy == nftables.ChainPolicyDrop {
		b.Policy = "drop"
	}
	return b
}

// readTable reads the rules of all chains of a table.
func readTable(conn *nftables.Conn, t *nftables.Table, all []*nftables.Chain) (map[string][]judged, error) {
	rules := make(map[string][]judged)
	sets := &setReader{conn: conn, table: t, seen: make(map[string][]nftables.SetElement)}
	for _, c := range all {
		if c.Table.Name != t.Name || c.Table.Family != t.Family {
			continue
		}
		list, err := conn.GetRules(t, c)
		if err != nil {
			return nil, err
		}
		rules[c.Name] = nil
		for _, r := range list {
			rules[c.Name] = append(rules[c.Name], judge(r, sets))
		}
	}
	return rules, nil
}

// judge prepares one rule. Its text is its handle: the rest shows nft -a.
func judge(r *nftables.Rule, sets *setReader) judged {
	run := func(p Packet) registers {
		regs := registers{packet: p, family: familyName(r.Table.Family), sets: sets, answer: yes}
		for _, e := range r.Exprs {
			regs.step(e)
		}
		return regs
	}
	return judged{
		text:    fmt.Sprintf("its rule with handle %d", r.Handle),
		matches: func(p Packet) answer { return run(p).answer },
		verdict: func(p Packet) verdict { return run(p).verdict },
	}
}

func isBase(c *nftables.Chain) bool {
	return c.Hooknum != nil && familyName(c.Table.Family) != ""
}

// shown reports whether the iptables of this host shows a chain.
func shown(c *nftables.Chain) bool {
	return ofIptables(c) && iptablesBackend{}.available(c.Table.Family == nftables.TableFamilyIPv6) == nil
}

// ofIptables reports whether a base chain is one that iptables-nft keeps: it
// tells its own by the names of the legacy tables and chains.
func ofIptables(c *nftables.Chain) bool {
	return (c.Table.Family == nftables.TableFamilyIPv4 || c.Table.Family == nftables.TableFamilyIPv6) &&
		slices.Contains([]string{"filter", "nat", "mangle", "raw", "security"}, c.Table.Name) &&
		c.Name == strings.ToUpper(c.Name)
}

// familyName is a family as nft(8) writes it; empty for those that container
// packets do not pass.
func familyName(f nftables.TableFamily) string {
	return map[nftables.TableFamily]string{
		nftables.TableFamilyIPv4: "ip", nftables.TableFamilyIPv6: "ip6",
		nftables.TableFamilyINet: "inet", nftables.TableFamilyBridge: "bridge",
	}[f]
}

var hookNames = [...]string{"prerouting", "input", "forward", "output", "postrouting"}

// setReader reads the elements of sets, once each.
type setReader struct {
	conn  *nftables.Conn
	table *nftables.Table
	seen  map[string][]nftables.SetElement
}

// elements are those of a set of single values; false where they are ranges,
// joined values, or cannot be read.
func (s *setReader) elements(name string) ([]nftables.SetElement, bool) {
	if list, ok := s.seen[name]; ok {
		return list, list != nil
	}
	s.seen[name] = nil
	set, err := s.conn.GetSetByName(s.table, name)
	if err != nil || set.Interval || set.Concatenation {
		return nil, false
	}
	set.Table = s.table
	list, err := s.conn.GetSetElements(set)
	if err != nil {
		return nil, false
	}
	s.seen[name] = append([]nftables.SetElement{}, list...)
	return s.seen[name], true
}
