package netns_test

import (
	"context"
	"testing"

	"github.com/cnetlab/cnet/pkg/netns"
)

func BenchmarkNamed(b *testing.B) {
	ctx, done := netns.Keep(context.Background())
	defer done()
	dir, web := netns.Dir{Path: "/run/netns"}, netns.Named{Path: "/run/netns/web"}
	if err := dir.Make(ctx); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		if err := web.Make(ctx); err != nil {
			b.Fatal(err)
		}
		if err := web.Break(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIndex(b *testing.B) {
	ctx, done := netns.Keep(context.Background())
	defer done()
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		if _, err := netns.Index(ctx, "", "lo"); err != nil {
			b.Fatal(err)
		}
	}
}
