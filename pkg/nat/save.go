package nat

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
)

// snapshot is the rules of all tables of a family as iptables-save(8) prints
// them: by table and chain.
type snapshot struct {
	tables map[string]map[string][]Rule
	times  map[string]int // how many of a rule stand, by its id
}

func newSnapshot() snapshot {
	return snapshot{tables: make(map[string]map[string][]Rule), times: make(map[string]int)}
}

func (s snapshot) add(r Rule) {
	s.tables[r.Table][r.Chain] = append(s.tables[r.Table][r.Chain], r)
	s.times[r.id()]++
}

// look reads the tables, or takes them from the session of ctx.
func look(ctx context.Context, ipv6 bool) (snapshot, error) {
	s, ok := sessionOf(ctx)
	if !ok {
		return read(ctx, ipv6)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if snap, ok := s.seen[ipv6]; ok {
		return snap, nil
	}
	snap, err := read(ctx, ipv6)
	if err == nil {
		s.seen[ipv6] = snap
	}
	return snap, err
}

func read(ctx context.Context, ipv6 bool) (snapshot, error) {
	out, err := run(ctx, program(ipv6)+"-save", "")
	if errors.Is(err, syscall.EPERM) && os.Geteuid() == 0 {
		out, err = readEach(ctx, ipv6)
	}
	if err != nil {
		return snapshot{}, err
	}
	return parse(string(out), On{Backend: Iptables, IPv6: ipv6}), nil
}

// readEach reads the tables one by one. In a user namespace the kernel does not
// say which legacy tables there are, though it shows them to who asks by name.
func readEach(ctx context.Context, ipv6 bool) ([]byte, error) {
	var all []byte
	for _, table := range []string{"raw", "mangle", "nat", "filter"} {
		out, err := run(ctx, program(ipv6)+"-save", "", "-t", table)
		if err != nil {
			return nil, err
		}
		all = append(all, out...)
	}
	return all, nil
}

// parse reads the output of iptables-save(8).
func parse(text string, on On) snapshot {
	snap := newSnapshot()
	var table string
	for _, row := range strings.Split(text, "\n") {
		w := split(row)
		switch {
		case len(w) == 0:
		case row[0] == '*':
			table = row[1:]
			snap.tables[table] = make(map[string][]Rule)
		case snap.tables[table] == nil: // nothing stands outside a table
		case row[0] == ':':
			snap.tables[table][w[0][1:]] = nil
		case w[0] == "-A" && len(w) > 2:
			snap.add(Rule{On: on, Table: table, Chain: w[1], Args: w[2:]})
		}
	}
	return snap
}

// has reports whether a rule, or a chain, stands.
func (s snapshot) has(r Rule) (bool, error) {
	rules, ok := s.tables[r.Table][r.Chain]
	if !ok || r.isChain() {
		return ok, nil
	}
	if s.count(r) > 0 {
		return true, nil
	}
	to := r.target()
	if _, there := s.tables[r.Table][to]; len(rules) == 0 || ours(to) && !there {
		return false, nil // iptables cannot even be asked for a jump to nowhere
	}
	return check(r)
}

// plain is the words of a rule without those that iptables-save(8) adds: the
// match of the protocol's own name, and the length of a whole address.
func plain(args []string) []string {
	out := make([]string, 0, len(args))
	for i := 0; i < len(args); i++ {
		w := args[i]
		if w == "-m" && i+1 < len(args) && slices.Contains([]string{"tcp", "udp", "sctp"}, args[i+1]) {
			i++
			continue
		}
		if i > 0 && (args[i-1] == "-s" || args[i-1] == "-d") {
			w = strings.TrimSuffix(strings.TrimSuffix(w, "/32"), "/128")
		}
		out = append(out, w)
	}
	return out
}

// split is the words of a line, where a word in double quotes may hold spaces.
func split(row string) []string {
	var words []string
	var word strings.Builder
	quoted, started := false, false
	for i := 0; i < len(row); i++ {
		switch c := row[i]; {
		case c == '"':
			quoted, started = !quoted, true
		case c == '\\' && i+1 < len(row):
			i++
			word.WriteByte(row[i])
			started = true
		case c == ' ' && !quoted:
			if started {
				words = append(words, word.String())
			}
			word.Reset()
			started = false
		default:
			word.WriteByte(c)
			started = true
		}
	}
	if started {
		words = append(words, word.String())
	}
	return words
}
