package topology

import "net/netip"

// index knows what a topology has of what there can be one of. It is made for
// one verb, as far as the verb asks, so that a thousand containers cost what
// one costs a thousand times and the document stays plain data.
type index struct {
	topo       *Topology
	fresh      map[string]bool // names that the verb itself has given
	places     map[string]places
	namespaces map[NamespaceID]string // by namespace: whose it is
	held       map[string]string      // by stack: who holds it, where that is not the one of its name
}

// places are those that are taken in one network: addresses, by their
// containers' names, and connections.
type places struct {
	holder map[netip.Addr]string
	count  *int
}

func (p places) take(container string, a Attachment) {
	p.holder[a.IP] = container
	if a.IP6.IsValid() {
		p.holder[a.IP6] = container
	}
	*p.count++
}

func (t *Topology) index() *index {
	return &index{topo: t, fresh: make(map[string]bool), places: make(map[string]places)}
}

// named reports whether there is a container of that name; from now on there is.
func (x *index) named(name string) bool {
	_, err := x.topo.Container(name)
	was := err == nil || x.fresh[name]
	x.fresh[name] = true
	return was
}

// in returns the places that are taken in a network.
func (x *index) in(network string) places {
	p, known := x.places[network]
	if known {
		return p
	}
	p = places{make(map[netip.Addr]string), new(int)}
	for i := range x.topo.Containers {
		c := &x.topo.Containers[i]
		if a := c.Attachment(network); a != nil {
			p.take(c.Name, *a)
		}
	}
	x.places[network] = p
	return p
}

// reserve keeps the addresses that containers ask for from being handed out to
// those before them.
func (x *index) reserve(specs []ContainerSpec) {
	for _, s := range specs {
		for _, a := range s.Networks {
			for _, text := range []string{a.IP, a.IP6} {
				holder := x.in(a.Network).holder
				if ip, err := netip.ParseAddr(text); err == nil && holder[ip] == "" {
					holder[ip] = s.Name
				}
			}
		}
	}
}

// owner names the container that has a namespace, or is empty.
func (x *index) owner(id NamespaceID, h Host) string {
	if x.namespaces == nil {
		x.namespaces = make(map[NamespaceID]string)
		for _, c := range x.topo.Containers {
			if id, err := h.Namespace(NetnsPath(c.Name)); err == nil && x.namespaces[id] == "" {
				x.namespaces[id] = c.Name
			}
		}
	}
	return x.namespaces[id]
}
