package netns_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cnetlab/cnet/internal/hosttest"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/google/go-cmp/cmp"
)

const veths = `ip netns add web
	for l in va vb vc vd; do ip link add name $l type veth peer name eth-$l netns web; ip link set $l alias "cnet $l"; done
	`

func TestDeleteLinks(t *testing.T) {
	const web = "/run/netns/web"
	all := []netns.OwnLink{{Name: "va", Alias: "cnet va"}, {Name: "vb", Alias: "cnet vb"}, {Name: "vc", Alias: "cnet vc"}, {Name: "vd", Alias: "cnet vd"}}
	inside := []netns.OwnLink{{Netns: web, Name: "eth-va"}, {Netns: web, Name: "eth-vb"}}
	for _, c := range []struct {
		name, script string
		links        []netns.OwnLink
		left         string
	}{
		{"none", "true", nil, "va vb vc vd"},
		{"one", "true", all[:1], "vb vc vd"},
		{"some", "true", all[1:3], "va vd"},
		{"all", "true", all, ""},
		{"by the other ends", "true", inside, "vc vd"},
		{"here and there", "true", append(inside[:1:1], all[2:]...), "vb"},
		{"one is gone", "ip link del vb", all[:3], "vd"},
		{"all but one are gone", "ip link del vb; ip link del vc", all[:3], "vd"},
		{"the only one is gone", "ip link del va", all[:1], "vb vc vd"},
		{"their namespace is gone", "true", []netns.OwnLink{{Netns: "/run/netns/no", Name: "va"}, {Netns: "/run/netns/no", Name: "vb"}}, "va vb vc vd"},
		{"a lost alias", "ip link set vb alias ''", all[:2], "vc vd"},
		{"another's", "ip link set vb alias mine", all[:3], "vb vd"},
		{"another's alone", "ip link set vb alias mine", all[1:2], "va vb vc vd"},
		{"in their groups", "ip link set va group 7; ip link set vb group 7; ip link set vc group 7", all[:2], "vc vd"},
		{"the group is taken", "ip link set vc group 1668179316; ip link set vd group 1668179317", all[:2], "vc vd"},
		{"the group is that of one cut off", "ip link set va group 1668179316; ip link set vc group 1668179316", all[:2], "vc vd"},
	} {
		c := c
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			hosttest.Run(t, func(t *testing.T) {
				hosttest.Sh(t, veths+c.script)
				ctx, done := netns.Keep(context.Background())
				defer done()
				for i := 0; i < 2; i++ { // already gone is success
					if err := netns.DeleteLinks(ctx, c.links...); err != nil {
						t.Fatal(err)
					}
					if left := names(t); left != c.left {
						t.Errorf("left are %q, not %q", left, c.left)
					}
				}
			})
		})
	}
}

// names are those of the links of veths that are there.
func names(t *testing.T) string {
	var list []string
	for _, line := range strings.Split(hosttest.Host(t, "ip", "-br", "link", "show", "type", "veth"), "\n") {
		if name, _, ok := strings.Cut(line, "@"); ok {
			list = append(list, name)
		}
	}
	return strings.Join(list, " ")
}

func TestDeleteLinksCutOff(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		hosttest.Sh(t, veths+"ip link set vb group 7")
		before := hosttest.Snapshot(t)
		cut := errors.New("cut off")
		ctx := fact.WithPoints(context.Background(), func(string) error { return cut })
		err := netns.DeleteLinks(ctx, netns.OwnLink{Name: "va"}, netns.OwnLink{Name: "va", Alias: "cnet va"}, netns.OwnLink{Name: "vb", Alias: "cnet vb"})
		if !errors.Is(err, cut) {
			t.Fatalf("%v", err)
		}
		if diff := cmp.Diff(before, hosttest.Snapshot(t)); diff != "" {
			t.Errorf("a delete that failed left something:\n%s", diff)
		}
	})
}

func TestDeleteMany(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) {
		count := 100
		if os.Getenv("CNET_LONG") != "" {
			count = 1000
		}
		hosttest.Sh(t, fmt.Sprintf(`ip link add name stays type veth peer name far
			for i in $(seq %d); do echo link add name m$i type veth peer name p$i; done | ip -b -`, count))
		var links []netns.OwnLink
		for i := 1; i <= count; i++ {
			links = append(links, netns.OwnLink{Name: fmt.Sprintf("m%d", i)})
		}
		if err := netns.DeleteLinks(context.Background(), links...); err != nil {
			t.Fatal(err)
		}
		if left := names(t); left != "far stays" && left != "stays far" {
			t.Errorf("left are %q", left)
		}
	})
}
