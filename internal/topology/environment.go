package topology

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Environment are variables that tell a program, when it is started in a
// container, of the services of the container's networks, NAME=VALUE: as
// Kubernetes gives them, and Docker's links before it. A headless service has
// none. What changes later they do not tell.
func (t *Topology) Environment(container string) (list []string) {
	k, err := t.Container(container)
	if err != nil {
		return nil
	}
	stack := t.Stack(*k)
	for _, s := range t.Services {
		if stack.Attachment(s.Network) != nil && s.VIP.IsValid() && len(s.Ports) > 0 {
			list = append(list, s.environment()...)
		}
	}
	return list
}

// environment is that of one service. Its first port stands for it.
func (s Service) environment() []string {
	name := strings.ReplaceAll(strings.ToUpper(s.Name), "-", "_")
	host, first := s.VIP.String(), s.Ports[0]
	list := []string{
		name + "_SERVICE_HOST=" + host,
		name + "_SERVICE_PORT=" + strconv.Itoa(int(first.Port)),
		name + "_PORT=" + first.url(s.VIP),
	}
	for _, p := range s.Ports {
		one := fmt.Sprintf("%s_PORT_%d_%s", name, p.Port, strings.ToUpper(p.Proto))
		list = append(list,
			one+"="+p.url(s.VIP),
			one+"_PROTO="+p.Proto,
			one+"_PORT="+strconv.Itoa(int(p.Port)),
			one+"_ADDR="+host)
	}
	return list
}

func (p ServicePort) url(ip netip.Addr) string {
	return p.Proto + "://" + netip.AddrPortFrom(ip, p.Port).String()
}
