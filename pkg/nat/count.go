package nat

import (
	"context"
	"fmt"
	"strings"

	"github.com/cnetlab/cnet/pkg/fact"
)

// Count is what a counter of the kernel has seen: of a published port or an
// endpoint the connections, with the bytes of the first packet of each; of a
// masquerade the connections that left.
type Count struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

// Counters returns the counts of those of the facts that have counters and stand:
// what is published, what is masqueraded, and endpoints. What is rendered as
// several rules or elements has the sum of them.
func Counters(ctx context.Context, facts []fact.Fact) (map[fact.Key]Count, error) {
	counts := make(map[fact.Key]Count)
	readers := make(map[On]func(value) (Count, bool))
	for _, f := range facts {
		v, ok := f.(value)
		if !ok {
			continue
		}
		read := readers[v.on()]
		if read == nil {
			var err error
			if read, err = v.on().counter(ctx); err != nil {
				return nil, err
			}
			readers[v.on()] = read
		}
		if n, ok := read(v); ok {
			counts[f.Key()] = n
		}
	}
	return counts, nil
}

// counter returns a function that knows the counts of now.
func (o On) counter(ctx context.Context) (func(value) (Count, bool), error) {
	if o.Backend == Nftables {
		state, err := lookAnyNft(ctx)
		return func(v value) (n Count, ok bool) {
			for _, x := range v.nftables() {
				if c, has := state.counted(x); has {
					n, ok = n.plus(c), true
				}
			}
			return n, ok
		}, err
	}
	out, err := run(ctx, program(o.IPv6)+"-save", "", "-c", "-t", "nat")
	counts := parseCounts(string(out), o)
	return func(v value) (n Count, ok bool) {
		for _, r := range v.iptables() {
			if c, has := counts[r.id()]; has && !r.isChain() {
				n, ok = n.plus(c), true
			}
		}
		return n, ok
	}, err
}

func (c Count) plus(o Count) Count { return Count{c.Packets + o.Packets, c.Bytes + o.Bytes} }

// parseCounts reads what iptables-save -c printed: "[PACKETS:BYTES] -A CHAIN …".
func parseCounts(text string, on On) map[string]Count {
	counts := make(map[string]Count)
	table := ""
	for _, row := range strings.Split(text, "\n") {
		if strings.HasPrefix(row, "*") {
			table = row[1:]
		}
		var n Count
		if _, err := fmt.Sscanf(row, "[%d:%d] -A", &n.Packets, &n.Bytes); err != nil {
			continue
		}
		if w := split(row); len(w) > 3 {
			r := Rule{On: on, Table: table, Chain: w[2], Args: w[3:]}
			counts[r.id()] = counts[r.id()].plus(n)
		}
	}
	return counts
}
