package topology

import (
	"net/netip"
	"sync"
)

// Host is what the verbs need to know of the machine. Each answer is asked for
// only when it is needed.
type Host interface {
	// Taken returns the prefixes that the host has addresses in or routes to,
	// with words for each: "the route 10.0.0.0/8 dev tun0".
	Taken() ([]Taken, error)
	// MTU is that of the link of the default route, in bytes; 1500 without one.
	MTU() (int, error)
	// Firewall is the backend for a new network beside others, which are all kept
	// with one backend; or with several, or are not there: then it is empty.
	Firewall(others string) (string, error)
	// BridgeFilter reports whether bridged packets can pass through iptables.
	BridgeFilter() bool
	// RAUplinks are the links that accept router advertisements.
	RAUplinks() ([]string, error)
	// Resolvers are the name servers and search domains that a container can use.
	Resolvers() (servers, search []string)
	// Listener names the process that listens at one of these ports of the host,
	// and the first such port; by is empty when there is none.
	// Who listens at an address that is spared is in the way only of a port that is
	// published at that address alone.
	Listener(ports []Port, spared []netip.AddrPort) (at Port, by string, err error)
	// IPv6 says what keeps the host from having IPv6 networks, if anything.
	IPv6() error
	// Namespace identifies the network namespace at path. What is none, or is
	// the host's own, is an error.
	Namespace(path string) (NamespaceID, error)
	// Exists reports whether a file is at path.
	Exists(path string) bool
}

// NamespaceID tells one namespace from all others. The number is given again: to
// a later namespace, and in another boot.
type NamespaceID struct {
	Inode uint64
	Boot  string // /proc/sys/kernel/random/boot_id
}

// Taken is a prefix of the host and words for what holds it.
type Taken struct {
	Prefix netip.Prefix
	By     string
}

// Once is a host that is asked for what does not change within a command, and
// takes reading, once: what it has taken, its MTU, firewall and uplinks.
func Once(h Host) Host {
	return once{h, sync.OnceValues(h.Taken), sync.OnceValues(h.MTU), make(map[string]func() (string, error)), sync.OnceValues(h.RAUplinks)}
}

type once struct {
	Host
	taken     func() ([]Taken, error)
	mtu       func() (int, error)
	firewalls map[string]func() (string, error) // by those of the others
	raUplinks func() ([]string, error)
}

func (o once) Taken() ([]Taken, error)      { return o.taken() }
func (o once) MTU() (int, error)            { return o.mtu() }
func (o once) RAUplinks() ([]string, error) { return o.raUplinks() }

func (o once) Firewall(others string) (string, error) {
	if o.firewalls[others] == nil {
		o.firewalls[others] = sync.OnceValues(func() (string, error) { return o.Host.Firewall(others) })
	}
	return o.firewalls[others]()
}
