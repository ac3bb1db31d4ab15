package engine

import (
	"net/netip"
	"os"
	"strings"
)

// resolvers reads the name servers and search domains of a resolv.conf(5).
// Servers on the host's loopback are left out: a container has a loopback of
// its own.
func resolvers(path string) (servers, search []string) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil
	}
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) < 2:
		case words[0] == "nameserver":
			if ip, err := netip.ParseAddr(words[1]); err == nil && !ip.IsLoopback() {
				servers = append(servers, words[1])
			}
		case words[0] == "search":
			search = words[1:]
		}
	}
	if servers == nil {
		return nil, nil
	}
	return servers, search
}
