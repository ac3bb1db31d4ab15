package nat

import (
	"context"
	"errors"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// SavedChains returns the built-in chains of the tables that the iptables of
// this host shows, and of those of its twin (see [Twin]). It only reads, and
// makes no legacy table by asking. Without the command there are none.
func SavedChains(ctx context.Context, ipv6 bool) ([]Chain, error) {
	list, err := builtIn(ctx, program(ipv6), ipv6)
	if err != nil {
		return nil, err
	}
	twin, err := Twin(ctx, ipv6)
	if errors.Is(err, exec.ErrNotFound) {
		return list, nil
	}
	if err != nil || twin == "" {
		return list, err
	}
	others, err := builtIn(ctx, twin, ipv6)
	return append(list, others...), err
}

func builtIn(ctx context.Context, name string, ipv6 bool) ([]Chain, error) {
	if path, err := find(name + "-save"); err == nil && !strings.HasSuffix(name, "-nft") {
		real, _ := filepath.EvalSymlinks(path)
		if !strings.Contains(filepath.Base(real), "nft") && !legacyTables(ipv6) {
			return nil, nil // asking would make them
		}
	}
	text, err := run(ctx, name+"-save", "")
	if errors.Is(err, exec.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return savedChains(string(text), name, ipv6), nil
}

// savedChains reads what iptables-save(8) printed.
func savedChains(text, name string, ipv6 bool) []Chain {
	family := map[bool]string{false: "ip", true: "ip6"}[ipv6]
	var list []Chain
	for table, chains := range parse(text, On{Backend: Iptables, IPv6: ipv6}).tables {
		rules := make(map[string][]judged)
		for chain, saved := range chains {
			rules[chain] = nil
			for _, r := range saved {
				rules[chain] = append(rules[chain], r.judged())
			}
		}
		for chain, policy := range policies(text, table) {
			list = append(list, Chain{Program: name, Family: family, Table: table, Name: chain,
				Hook: strings.ToLower(chain), Policy: policy, rules: rules})
		}
	}
	slices.SortFunc(list, func(a, b Chain) int { return strings.Compare(a.String(), b.String()) })
	return list
}

// policies are those of the built-in chains of a table.
func policies(text, table string) map[string]string {
	found, here := make(map[string]string), ""
	for _, row := range strings.Split(text, "\n") {
		w := strings.Fields(row)
		switch {
		case strings.HasPrefix(row, "*"):
			here = row[1:]
		case here == table && len(w) > 1 && strings.HasPrefix(row, ":") && w[1] != "-":
			found[w[0][1:]] = strings.ToLower(w[1])
		}
	}
	return found
}

// judged is a rule in the words of iptables-extensions(8), to be judged.
func (r Rule) judged() judged {
	v := verdict{"jump", r.target()}
	switch v.to {
	case "ACCEPT", "DROP", "RETURN":
		v.word = strings.ToLower(v.to)
	case "REJECT":
		v.word = "drop"
	case "":
		v.word = ""
	}
	if slices.Contains(r.Args, "-g") {
		v.word = "goto"
	}
	return judged{
		text:    "its rule " + line{words: append([]string{"-A", r.Chain}, r.Args...)}.String(),
		matches: r.matches,
		verdict: func(Packet) verdict { return v },
	}
}

// matches judges the matches of a rule: an option, its values, after a "!" the
// opposite.
func (r Rule) matches(p Packet) answer {
	a := yes
	for i := 0; i < len(r.Args); i++ {
		not := r.Args[i] == "!"
		if not {
			i++
		}
		if r.Args[i] == "-j" || r.Args[i] == "-g" {
			break
		}
		option, end := r.Args[i], i+1
		for end < len(r.Args) && !strings.HasPrefix(r.Args[end], "-") && r.Args[end] != "!" {
			end++
		}
		got := p.asked(option, strings.Join(r.Args[i+1:end], " "))
		if not && got != some && got != unknown {
			got = yes - got
		}
		a, i = min(a, got), end-1
	}
	return a
}

// asked answers one match.
func (p Packet) asked(option, want string) answer {
	switch option {
	case "-i":
		return sameLink(p.In, want)
	case "-o":
		return sameLink(p.Out, want)
	case "-s":
		return within(p.Src, want)
	case "-d":
		return within(p.Dst, want)
	case "--ctstate", "--state":
		states := strings.Split(want, ",")
		return when(slices.Contains(states, "NEW") || p.Translated && slices.Contains(states, "DNAT"))
	case "--comment", "-m":
		return yes
	case "--mark", "--match-set", "--bpf", "--path":
		return unknown
	}
	return some
}

func when(ok bool) answer {
	if ok {
		return yes
	}
	return no
}

// sameLink compares a link with a name, or with what a name begins with ("br+").
func sameLink(link, want string) answer {
	if link == "" {
		return unknown
	}
	if prefix, ok := strings.CutSuffix(want, "+"); ok {
		return when(strings.HasPrefix(link, prefix))
	}
	return when(link == want)
}

func within(a netip.Addr, want string) answer {
	p, err := netip.ParsePrefix(want)
	if err != nil || !a.IsValid() {
		return unknown
	}
	return when(p.Contains(a))
}
