package nat_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
)

// TestExchange has ports go while others come: in one transaction, and the same
// stands as if each had been done by itself.
func TestExchange(t *testing.T) {
	for _, backend := range []string{nat.Iptables, nat.Nftables} {
		on := nat.On{Backend: backend}
		publish := func(to string, ports ...uint16) (list []fact.Fact) {
			for _, p := range ports {
				list = append(list, port(on, "tcp", to, p, p, 80))
			}
			return list
		}
		var hooks []fact.Fact
		for _, h := range nat.Hooks(on, nat.RolePublish) {
			hooks = append(hooks, h)
		}
		old := publish("10.77.0.2", 8080, 8081, 8082)
		for _, c := range []struct {
			name         string
			meddle, come []fact.Fact // meddle is gone before
		}{
			{"moved", nil, publish("10.77.0.3", 8080, 8081)},
			{"others", nil, publish("10.77.0.3", 9090)},
			{"one gone already", old[1:2], publish("10.77.0.3", 8080, 8081)},
			{"all gone already", old, publish("10.77.0.3", 8080, 8081)},
		} {
			c := c
			t.Run(backend+" "+c.name, func(t *testing.T) {
				t.Parallel()
				inNft(t, func(t *testing.T) {
					ctx := context.Background()
					b := old[0].(fact.Exchanger)
					must(t, b.MakeAll(ctx, append(hooks[:len(hooks):len(hooks)], c.come...)))
					want := hosttest.Rules(t)
					must(t, b.BreakAll(ctx, c.come))
					must(t, b.MakeAll(ctx, old))
					if len(c.meddle) > 0 {
						must(t, b.BreakAll(ctx, c.meddle))
					}
					transactions := 0
					counting := fact.WithPoints(ctx, func(point string) error {
						if strings.HasSuffix(point, "-restore") || point == "nf_tables" {
							transactions++
						}
						return nil
					})
					must(t, b.Exchange(counting, old, c.come))
					if diff := cmp.Diff(want, hosttest.Rules(t)); diff != "" {
						t.Errorf("(-by itself +exchanged):\n%s", diff)
					}
					if len(c.meddle) == 0 && transactions != 1 {
						t.Errorf("it took %d transactions", transactions)
					}
				})
			})
		}
	}
}
