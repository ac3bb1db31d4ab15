package topology

import "net/netip"

// How a service chooses among its backends.
const (
	Random = "random" // each new connection by chance, in proportion to the weights
	Exact  = "exact"  // in turn, so that the shares are exact
)

// DefaultGroupBy is the label whose value names the group of a backend.
const DefaultGroupBy = "version"

// Service is one name, and one address that no link carries, in front of the
// containers that answer for it, its backends.
type Service struct {
	Name     string     `json:"name" yaml:"name"`
	Network  string     `json:"network" yaml:"network"`
	Headless bool       `json:"headless,omitempty" yaml:"headless"` // a name only, of the backends' addresses
	VIP      netip.Addr `json:"vip,omitempty,omitzero" yaml:"vip"`
	VIP6     netip.Addr `json:"vip6,omitempty,omitzero" yaml:"vip6"`
	// Ports are those at which it answers.
	Ports []ServicePort `json:"ports,omitempty" yaml:"ports"`
	// Publish are the host's ports that lead to it; To is a port of the service.
	Publish []Port `json:"publish,omitempty" yaml:"publish"`
	// Selector are the labels of the containers that are backends, besides Backends.
	Selector map[string]string `json:"selector,omitempty" yaml:"selector"`
	Backends []Backend         `json:"backends,omitempty" yaml:"backends"`
	// GroupBy is the label whose value names a backend's group; empty is [DefaultGroupBy].
	GroupBy string `json:"group_by,omitempty" yaml:"group_by"`
	// Weights are the shares of backends and groups; without any all are alike.
	Weights  []Weight `json:"weights,omitempty" yaml:"weights"`
	Mode     string   `json:"mode,omitempty" yaml:"mode"`         // empty is [Random]
	Affinity int      `json:"affinity,omitempty" yaml:"affinity"` // seconds for which a client keeps its backend; 0: none
	Check    *Check   `json:"check,omitempty" yaml:"check"`
	// Ready are the backends that passed their last checks, where there are any.
	Ready []string `json:"ready,omitempty" yaml:"ready"`
}

// ServicePort is a port of a service, and that of its backends.
type ServicePort struct {
	Port  uint16 `json:"port" yaml:"port"`
	To    uint16 `json:"to" yaml:"to"`
	Proto string `json:"proto" yaml:"proto"`
}

// Backend is a container that answers for a service; Port is its own where it
// is not that of the service's port.
type Backend struct {
	Container string `json:"container" yaml:"container"`
	Port      uint16 `json:"port,omitempty" yaml:"port"`
}

// Weight is the share of a backend, or of a group of them, in proportion to the others.
type Weight struct {
	Name   string `json:"name" yaml:"name"`
	Weight int    `json:"weight" yaml:"weight"`
}

// Check is how a backend is asked whether it can serve.
type Check struct {
	Kind     string `json:"kind" yaml:"kind"`                     // "tcp" or "http"
	Path     string `json:"path,omitempty" yaml:"path"`           // of http: /healthz
	Every    string `json:"every,omitempty" yaml:"every"`         // "1s"
	Timeout  string `json:"timeout,omitempty" yaml:"timeout"`     // of one question
	Failures int    `json:"failures,omitempty" yaml:"failures"`   // in a row, until it is out
	Passes   int    `json:"successes,omitempty" yaml:"successes"` // in a row, until it is in
}
