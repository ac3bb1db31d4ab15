package engine

import (
	"net/netip"
	"os"
	"strings"
)

// resolvers reads the name servers and search domains of a resolv.conf(5).
func resolvers(path string) (servers, search []string) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil
	}
	return parseResolvers(string(text))
}

// parseResolvers leaves out the servers on the host's loopback: a container has
// a loopback of its own.
func parseResolvers(text string) (servers, search []string) {
	for _, line := range strings.Split(text, "\n") {
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
