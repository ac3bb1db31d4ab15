package topology

import (
	"strings"
	"testing"
)

// A program is told of the services of its networks, and of no other's.
func TestEnvironment(t *testing.T) {
	topo, err := Parse("shop", []byte(`
networks: [{name: lab, subnet: 10.1.0.0/24}, {name: vault, subnet: 10.2.0.0/24}]
containers:
- {name: c1, networks: [{network: lab}]}
- {name: lone}
- {name: side, share: c1}
services:
- {name: front-end, network: lab, vip: 10.76.0.1, ports: ["80:8080/tcp", "53:53/udp"]}
- {name: heads, network: lab, headless: true}
- {name: secret, network: vault, vip: 10.76.0.2, ports: ["80:80/tcp"]}
`))
	must(t, err)
	topo.Sort()
	want := `FRONT_END_SERVICE_HOST=10.76.0.1
FRONT_END_SERVICE_PORT=80
FRONT_END_PORT=tcp://10.76.0.1:80
FRONT_END_PORT_80_TCP=tcp://10.76.0.1:80
FRONT_END_PORT_80_TCP_PROTO=tcp
FRONT_END_PORT_80_TCP_PORT=80
FRONT_END_PORT_80_TCP_ADDR=10.76.0.1
FRONT_END_PORT_53_UDP=udp://10.76.0.1:53
FRONT_END_PORT_53_UDP_PROTO=udp
FRONT_END_PORT_53_UDP_PORT=53
FRONT_END_PORT_53_UDP_ADDR=10.76.0.1`
	for container, want := range map[string]string{"c1": want, "side": want, "lone": "", "none": ""} {
		if got := strings.Join(topo.Environment(container), "\n"); got != want {
			t.Errorf("%s is told\n%s", container, got)
		}
	}
}
