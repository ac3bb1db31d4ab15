package topology

import (
	"net/netip"
	"slices"
	"sort"
	"strings"

	"github.com/cnetlab/cnet/internal/fail"
)

// Drivers of a network.
const (
	Bridge = "bridge" // a switch that all containers are plugged into
	PTP    = "ptp"    // a cable from each container to the host, which routes
)

// Isolation says what keeps the siblings of a network with icc false apart.
const (
	ByFilter = "filter" // bridged packets pass through iptables (br_netfilter)
	ByPort   = "port"   // bridge ports are isolated: no br_netfilter on this host
)

// Topology is the whole document. Networks, containers and services are sorted by name.
type Topology struct {
	Networks   []Network     `json:"networks,omitempty" yaml:"networks"`
	Containers []Container   `json:"containers,omitempty" yaml:"containers"`
	Services   []Service     `json:"services,omitempty" yaml:"services"`
	Edge       *Edge         `json:"edge,omitempty" yaml:"edge"` // nil for none
	Expect     []Expectation `json:"expect,omitempty" yaml:"expect"`
}

// Network is a subnet that containers share, and the rules at its edge.
type Network struct {
	Name     string       `json:"name" yaml:"name"`
	Driver   string       `json:"driver" yaml:"driver"`
	Subnet   netip.Prefix `json:"subnet" yaml:"subnet"`
	Gateway  netip.Addr   `json:"gateway" yaml:"gateway"`
	IPv6     bool         `json:"ipv6,omitempty" yaml:"ipv6"`
	Subnet6  netip.Prefix `json:"subnet6,omitempty,omitzero" yaml:"subnet6"`
	Gateway6 netip.Addr   `json:"gateway6,omitempty,omitzero" yaml:"gateway6"`
	Internal bool         `json:"internal,omitempty" yaml:"internal"`
	ICC      *bool        `json:"icc,omitempty" yaml:"icc"` // nil is true
	MTU      int          `json:"mtu" yaml:"mtu"`           // bytes
	// RouteMTU is the largest packet that may leave by the gateway, in bytes, where
	// the network takes larger ones than the host's uplink; else 0.
	RouteMTU     int    `json:"route_mtu,omitempty" yaml:"route_mtu"`
	Firewall     string `json:"firewall" yaml:"firewall"`
	Isolation    string `json:"isolation,omitempty" yaml:"isolation"`
	AllowOverlap bool   `json:"allow_overlap,omitempty" yaml:"allow_overlap"`
	// RAUplinks are the host's links that learn their IPv6 routes from router
	// advertisements, which forwarding would stop.
	RAUplinks []string `json:"ra_uplinks,omitempty" yaml:"ra_uplinks"`
	// DNS tells whether the gateway answers for the names of what is in the network; nil is true.
	DNS *bool `json:"dns,omitempty" yaml:"dns"`
	// DNSTTL is for how long an answer may be remembered, in seconds.
	DNSTTL int `json:"dns_ttl,omitempty" yaml:"dns_ttl"`
	// Last is the address handed out last: the next search starts after it.
	Last netip.Addr `json:"last,omitempty,omitzero" yaml:"last"`
}

// Talk reports whether the network's containers may reach each other.
func (n Network) Talk() bool { return n.ICC == nil || *n.ICC }

// Names reports whether the network's gateway answers for names.
func (n Network) Names() bool { return n.DNS == nil || *n.DNS }

// Leaving is the largest packet that leaves the network by its gateway, in bytes.
func (n Network) Leaving() int {
	if n.RouteMTU != 0 {
		return n.RouteMTU
	}
	return n.MTU
}

// Container is a network namespace and what is plugged into it.
type Container struct {
	Name string `json:"name" yaml:"name"`
	// Netns is the path of the adopted namespace; empty means that cnet made it.
	Netns string `json:"netns,omitempty" yaml:"netns"`
	// NetnsID is the inode number of the adopted namespace: a process number
	// in Netns may be another's by now.
	NetnsID uint64 `json:"netns_id,omitempty" yaml:"netns_id"`
	// NetnsBoot is the boot in which NetnsID was that number (random(4)).
	NetnsBoot string `json:"netns_boot,omitempty" yaml:"netns_boot"`
	// Share names the container that holds the stack which this one is in.
	Share string `json:"share,omitempty" yaml:"share"`
	// Stack is the name of the stack that this container holds, where that is not
	// its own: the stack's first member is gone.
	Stack       string   `json:"stack,omitempty" yaml:"stack"`
	Nameservers []string `json:"nameservers,omitempty" yaml:"nameservers"`
	Search      []string `json:"search,omitempty" yaml:"search"`
	// Labels are words about the container, by which services choose it.
	Labels   map[string]string `json:"labels,omitempty" yaml:"labels"`
	Networks []Attachment      `json:"networks,omitempty" yaml:"networks"`
	Publish  []Port            `json:"publish,omitempty" yaml:"publish"`
	// Sidecar is the proxy in the container's stack; nil for none.
	Sidecar *Sidecar `json:"sidecar,omitempty" yaml:"sidecar"`
}

// Attachment is a container's place in a network.
type Attachment struct {
	Network      string     `json:"network" yaml:"network"`
	Interface    string     `json:"interface" yaml:"interface"`
	IP           netip.Addr `json:"ip" yaml:"ip"`
	IP6          netip.Addr `json:"ip6,omitempty,omitzero" yaml:"ip6"`
	MAC          string     `json:"mac" yaml:"mac"`
	Aliases      []string   `json:"aliases,omitempty" yaml:"aliases"`
	DefaultRoute *bool      `json:"default_route,omitempty" yaml:"default_route"` // nil in a file: as it comes
}

// Network returns the network of that name, to be changed in place.
func (t *Topology) Network(name string) (*Network, error) {
	i := sort.Search(len(t.Networks), func(i int) bool { return t.Networks[i].Name >= name })
	if i < len(t.Networks) && t.Networks[i].Name == name {
		return &t.Networks[i], nil
	}
	return nil, fail.New(fail.NotFound, "network "+quote(name), "there is no such network").Try("cnet network list")
}

// Container returns the container of that name, to be changed in place.
func (t *Topology) Container(name string) (*Container, error) {
	i := sort.Search(len(t.Containers), func(i int) bool { return t.Containers[i].Name >= name })
	if i < len(t.Containers) && t.Containers[i].Name == name {
		return &t.Containers[i], nil
	}
	return nil, fail.New(fail.NotFound, "container "+quote(name), "there is no such container").Try("cnet list")
}

// Attachment returns the container's place in a network, or nil.
func (c *Container) Attachment(network string) *Attachment {
	for i := range c.Networks {
		if c.Networks[i].Network == network {
			return &c.Networks[i]
		}
	}
	return nil
}

// Leads reports whether the container's default route leads by the attachment.
func (a Attachment) Leads() bool { return a.DefaultRoute != nil && *a.DefaultRoute }

// Main is the attachment that published ports lead to: the one with the default
// route, else the first. It is nil for a container without a network.
func (c *Container) Main() *Attachment {
	for i := range c.Networks {
		if c.Networks[i].Leads() {
			return &c.Networks[i]
		}
	}
	if len(c.Networks) > 0 {
		return &c.Networks[0]
	}
	return nil
}

// Sort puts networks and containers in the order of their names.
func (t *Topology) Sort() {
	slices.SortFunc(t.Networks, func(a, b Network) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(t.Containers, func(a, b Container) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(t.Services, func(a, b Service) int { return strings.Compare(a.Name, b.Name) })
}

// Clone returns a copy that shares nothing with t.
func (t Topology) Clone() Topology {
	c := Topology{
		Networks:   append([]Network(nil), t.Networks...),
		Containers: append([]Container(nil), t.Containers...),
		Services:   append([]Service(nil), t.Services...),
		Edge:       t.Edge, // which is changed as a whole
		Expect:     append([]Expectation(nil), t.Expect...),
	}
	for i := range c.Containers {
		k := &c.Containers[i]
		k.Networks = slices.Clone(k.Networks)
		k.Publish = slices.Clone(k.Publish)
	}
	return c
}
