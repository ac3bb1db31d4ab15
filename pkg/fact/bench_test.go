package fact_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/cnetlab/cnet/pkg/fact"
)

// Diffs are as large as the ledgers of 1,000 containers: a dozen facts each.
func BenchmarkDiff(b *testing.B) {
	made := crowd(12000)
	for _, c := range []struct {
		name         string
		made, wanted []fact.Fact
	}{
		{"from nothing", nil, made},
		{"one more", made, append(made[:len(made):len(made)], note{Name: "more"})},
		{"to nothing", made, nil},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; i < b.N; i++ {
				fact.Diff(c.made, c.wanted)
			}
		})
	}
}

func crowd(n int) []fact.Fact {
	list := make([]fact.Fact, n)
	for i := range list {
		list[i] = note{Name: fmt.Sprintf("fact %d", i), Value: "10.77.0.2/24"}
	}
	return list
}

func BenchmarkCodec(b *testing.B) {
	codec := fact.NewCodec([]fact.Kind{fact.KindOf[note]()})
	f := note{Name: "a", Value: "10.77.0.2/24", Of: []fact.Key{{Kind: "note", Netns: "/run/netns/web", Name: "b"}}}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; i < b.N; i++ {
			r, err := codec.Encode(f)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := json.Marshal(r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		r, err := codec.Encode(f)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		b.ResetTimer()
		for i := 0; i < b.N; i++ {
			if _, err := codec.Decode(r); err != nil {
				b.Fatal(err)
			}
		}
	})
}
