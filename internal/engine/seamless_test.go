package engine

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/cnetlab/cnet/pkg/bridge"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
	"github.com/cnetlab/cnet/pkg/veth"
)

func TestSeamless(t *testing.T) {
	front := nat.Front{Service: "web", VIP: netip.MustParseAddr("10.76.0.1"), Proto: "tcp", Port: 80}
	end := func(c string) fact.Fact { return nat.Endpoint{Front: front, Container: c} }
	shares := func(names ...string) fact.Fact {
		b := nat.Balance{Front: front}
		for _, c := range names {
			b.Shares = append(b.Shares, nat.Share{Container: c, Weight: 1})
		}
		return b
	}
	hairpin := func(c string) fact.Fact { return bridge.Hairpin{Link: c} }
	cable := func(c string) fact.Fact { return veth.Pair{Name: c} }
	for _, c := range []struct {
		name         string
		made, wanted []fact.Fact
		want         string
	}{
		{"who comes is there before", []fact.Fact{end("a"), shares("a")},
			[]fact.Fact{cable("b"), hairpin("b"), end("a"), end("b"), shares("a", "b")},
			"make veth.pair, make bridge.hairpin, break nat.balance, make nat.endpoint, make nat.balance"},
		{"who goes, goes after it", []fact.Fact{cable("b"), end("a"), end("b"), shares("a", "b")},
			[]fact.Fact{end("a"), shares("a")},
			"break nat.balance, break nat.endpoint, make nat.balance, break veth.pair"},
		{"one comes, another leaves", []fact.Fact{hairpin("a"), end("a"), shares("a")},
			[]fact.Fact{hairpin("b"), end("b"), shares("b")},
			"make bridge.hairpin, break nat.balance, break nat.endpoint, make nat.endpoint, make nat.balance, break bridge.hairpin"},
		{"one comes, another is no more", []fact.Fact{cable("a"), end("a"), shares("a")},
			[]fact.Fact{cable("b"), end("b"), shares("b")},
			"break nat.balance, break nat.endpoint, break veth.pair, make veth.pair, make nat.endpoint, make nat.balance"},
		{"nothing turns", []fact.Fact{cable("a"), end("a")}, []fact.Fact{hairpin("b"), end("b")},
			"break nat.endpoint, break veth.pair, make bridge.hairpin, make nat.endpoint"},
	} {
		var words []string
		for _, s := range seamless(fact.Diff(c.made, c.wanted)).Steps {
			words = append(words, s.Verb.String()+" "+s.Fact.Key().Kind)
		}
		if got := strings.Join(words, ", "); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
}
