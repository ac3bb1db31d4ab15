package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cnetlab/cnet/internal/engine"
	"github.com/cnetlab/cnet/internal/topology"
)

// TestSummaryOfMany: what happened to many is told in a few lines that fit.
func TestSummaryOfMany(t *testing.T) {
	var few, lots topology.Topology
	for i := 0; i < 4000; i++ {
		lots.Containers = append(lots.Containers, topology.Container{Name: fmt.Sprintf("c%04d", i)})
	}
	few.Containers = lots.Containers[:2]
	ports := lots.Clone()
	for i := 0; i < 5000; i++ {
		p := topology.Port{Host: uint16(10000 + i), HostEnd: uint16(10000 + i), To: 80, Proto: "tcp"}
		ports.Containers[0].Publish = append(ports.Containers[0].Publish, p)
	}
	for _, c := range []struct {
		before, after topology.Topology
		want          string
	}{
		{topology.Topology{}, few, "container c0000 created\ncontainer c0001 created"},
		{topology.Topology{}, lots, "4000 containers created: c0000 c0001 c0002 … c3997 c3998 c3999"},
		{lots, few, "3998 containers deleted: c0002 c0003 c0004 … c3997 c3998 c3999"},
		{lots, ports, "container c0000: published 5000 ports: 10000:80/tcp 10001:80/tcp 10002:80/tcp …\n  14997:80/tcp 14998:80/tcp 14999:80/tcp"},
	} {
		if got := strings.Join(summary(engine.Change{Before: c.before, After: c.after}), "\n"); got != c.want {
			t.Errorf("got\n%s\nwant\n%s", got, c.want)
		}
	}
}
