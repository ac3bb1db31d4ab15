package nat

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// winner returns a rule of somebody else's that stands before the jump r and
// decides over packets which one of cnet's rules would decide over otherwise.
// Rules that cannot meet cnet's packets, or that end alike, win nothing.
func (s snapshot) winner(r Rule) (Rule, bool) {
	if !r.First {
		return Rule{}, false
	}
	chain := s.tables[r.Table][r.Chain]
	at := slices.IndexFunc(chain, func(x Rule) bool { return slices.Equal(plain(x.Args), plain(r.Args)) })
	if at <= 0 {
		return Rule{}, false
	}
	leaves := s.leaves(r, []Rule{r}, 0)
	for _, before := range chain[:at] {
		if s.wins(before, nil, leaves, 0) {
			return before, true
		}
	}
	return Rule{}, false
}

// leaf is a rule that decides, below the jumps that lead to it.
type leaf []Rule

// maxDepth bounds how far jumps are followed; the kernel allows more only on paper.
const maxDepth = 16

// leaves are the deciding rules that a jump of cnet's leads to. An empty chain
// was flushed: any rule may belong there.
func (s snapshot) leaves(r Rule, way leaf, depth int) (list []leaf) {
	rules := s.tables[r.Table][r.target()]
	if len(rules) == 0 || depth == maxDepth {
		return []leaf{way}
	}
	for _, x := range rules {
		next := append(slices.Clone(way), x)
		switch {
		case ours(x.target()):
			list = append(list, s.leaves(x, next, depth+1)...)
		case decides(x.target()):
			list = append(list, next)
		}
	}
	return list
}

// wins reports whether r, reached by way, decides over a packet of one of leaves.
func (s snapshot) wins(r Rule, way leaf, leaves []leaf, depth int) bool {
	way = append(slices.Clone(way), r)
	to := r.target()
	if ours(to) {
		return false
	}
	if rules, ok := s.tables[r.Table][to]; ok && depth < maxDepth {
		for _, x := range rules {
			if s.wins(x, way, leaves, depth+1) {
				return true
			}
			if x.target() == "RETURN" && len(matches(x)) == 0 {
				return false // nothing comes further
			}
		}
		return false
	}
	if !decides(to) || to == "RETURN" && depth > 0 {
		return false
	}
	return slices.ContainsFunc(leaves, func(l leaf) bool { return !alike(r, l[len(l)-1]) && meet(way, l) })
}

// decides reports whether no later rule is asked after this target. The others
// look at a packet, or mark it, and let it go on.
func decides(target string) bool {
	switch target {
	case "ACCEPT", "DROP", "REJECT", "RETURN", "QUEUE", "NFQUEUE",
		"DNAT", "SNAT", "REDIRECT", "MASQUERADE", "NETMAP", "TPROXY", "SYNPROXY":
		return true
	}
	return false
}

// alike reports whether two rules come to the same end.
func alike(a, b Rule) bool {
	verdict := func(r Rule) string {
		if r.target() == "REJECT" {
			return "DROP"
		}
		return r.target()
	}
	switch v := verdict(a); v {
	case "ACCEPT", "DROP", "MASQUERADE":
		return v == verdict(b)
	}
	return false
}

// meet reports whether a packet can match all rules of both ways. What is not
// understood is taken to match. Packets of no connection at all do not count:
// many firewalls drop them first, and rightly so.
func meet(a, b leaf) bool {
	for _, x := range a {
		for _, m := range matches(x) {
			if m.key == "--ctstate" && !m.not && m.value == "INVALID" {
				return false
			}
			for _, y := range b {
				if slices.ContainsFunc(matches(y), m.excludes) {
					return false
				}
			}
		}
	}
	return true
}

// match is a condition of a rule: "! -i cnet-lab".
type match struct {
	key, value string
	not        bool
}

// matches are the conditions of a rule that can be compared.
func matches(r Rule) (list []match) {
	args := plain(r.Args)
	for i := 0; i+1 < len(args); i++ {
		key := args[i]
		switch key {
		case "--comment", "-j", "-g":
			i++
			continue
		case "--state":
			key = "--ctstate"
		case "--dports":
			key = "--dport"
		case "-i", "-o", "-s", "-d", "-p", "--dport", "--ctstate":
		default:
			continue
		}
		list = append(list, match{key, args[i+1], i > 0 && args[i-1] == "!"})
		i++
	}
	return list
}

// excludes reports whether no packet can match both m and n.
func (m match) excludes(n match) bool {
	switch {
	case m.key != n.key, m.not && n.not:
		return false
	case m.not:
		return inside(n.key, n.value, m.value)
	case n.not:
		return inside(m.key, m.value, n.value)
	case m.key == "--ctstate":
		return false // a packet can be in several states
	}
	return apart(m.key, m.value, n.value)
}

// inside reports whether all that a covers is covered by b.
func inside(key, a, b string) bool {
	switch key {
	case "-i", "-o":
		prefix, all := strings.CutSuffix(b, "+")
		return a == b || all && strings.HasPrefix(strings.TrimSuffix(a, "+"), prefix)
	case "-s", "-d":
		p, q := prefixed(a), prefixed(b)
		return p.IsValid() && q.IsValid() && q.Bits() <= p.Bits() && q.Overlaps(p)
	case "--ctstate":
		for _, state := range strings.Split(a, ",") {
			if !slices.Contains(strings.Split(b, ","), state) {
				return false
			}
		}
		return true
	}
	return a == b
}

// apart reports whether nothing is covered by both a and b.
func apart(key, a, b string) bool {
	switch key {
	case "-i", "-o":
		return !inside(key, a, b) && !inside(key, b, a)
	case "-s", "-d":
		p, q := prefixed(a), prefixed(b)
		return p.IsValid() && q.IsValid() && !p.Overlaps(q)
	case "--dport":
		for _, x := range strings.Split(a, ",") {
			for _, y := range strings.Split(b, ",") {
				if low, high := ports(x); portIn(y, low, high) {
					return false
				}
			}
		}
		return true
	}
	return a != b
}

func prefixed(text string) netip.Prefix {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen())
	}
	p, _ := netip.ParsePrefix(text)
	return p.Masked()
}

// ports are the ends of "8080" or "7000:7009"; all ports if it is neither.
func ports(text string) (low, high int) {
	first, last, isRange := strings.Cut(text, ":")
	low, err := strconv.Atoi(first)
	if high = low; err == nil && isRange {
		high, err = strconv.Atoi(last)
	}
	if err != nil {
		return 0, 1<<16 - 1
	}
	return low, high
}

func portIn(text string, low, high int) bool {
	first, last := ports(text)
	return first <= high && low <= last
}
