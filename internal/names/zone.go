package names

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/cnetlab/cnet/internal/topology"
)

// Zone is a book made ready for questions. It does not change.
type Zone struct {
	serial   uint32
	views    map[asker]*view
	host     *view           // that of the host itself
	networks map[string]bool // by name, in lower case
	own      []netip.Prefix  // no address of these has a name elsewhere
	gateways map[netip.Addr]bool
}

// asker is who asks: the source address, at the gateway that was asked. Subnets
// of two networks may overlap.
type asker struct{ gateway, source netip.Addr }

// view is what an asker sees.
type view struct {
	rooms    []*room // in the order in which a name is looked for
	host     bool    // it is the host, which has resolvers of its own
	out      bool
	upstream []netip.Addr
}

// Compile makes a zone of a book; serial counts the zones.
func Compile(b Book, serial uint32) *Zone {
	z := &Zone{
		serial: serial, views: make(map[asker]*view), host: &view{host: true},
		networks: make(map[string]bool), gateways: make(map[netip.Addr]bool),
	}
	halls := make(map[string]*hall)
	for _, n := range b.Networks {
		h := newHall(n)
		halls[n.Name] = h
		z.host.rooms = append(z.host.rooms, h.all)
		z.networks[h.all.network] = true
		z.own = append(z.own, n.Subnets...)
		for _, ip := range n.Gateways {
			z.gateways[ip] = true
		}
		for _, s := range n.Services {
			for _, ip := range s.Addrs {
				z.own = append(z.own, netip.PrefixFrom(ip, ip.BitLen()))
			}
		}
	}
	for _, s := range b.Stacks {
		z.admit(s, halls)
	}
	return z
}

// admit enters a stack's names, and what it sees.
func (z *Zone) admit(s Stack, halls map[string]*hall) {
	v := &view{out: s.Out, upstream: s.Upstream}
	for _, p := range s.Places {
		h := halls[p.Network]
		if h == nil {
			continue
		}
		h.all.enter(s, p)
		v.rooms = append(v.rooms, h.seen(s, p)...)
		for _, ip := range p.Addrs {
			for _, gw := range h.Gateways {
				if gw.Is4() == ip.Is4() {
					z.let(asker{gw, ip}, v)
				}
			}
		}
	}
}

// of is what an asker sees: nothing, if nobody knows who it is. The host may have
// asked by any of its addresses: rules may rewrite that which it began with.
func (z *Zone) of(a asker) *view {
	if v, known := z.views[a]; known {
		return v
	}
	if local(a.source) {
		return z.host
	}
	return nil
}

// local reports whether an address is one of the host's own, which no packet from
// elsewhere has: nothing can be bound to others.
func local(ip netip.Addr) bool {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, 0)))
	if err == nil {
		conn.Close()
	}
	return err == nil && !ip.IsUnspecified()
}

// let has an asker see v. Of two who cannot be told apart, as when two networks
// have the same subnet and gateway, neither sees anything.
func (z *Zone) let(a asker, v *view) {
	if _, taken := z.views[a]; taken {
		v = nil
	}
	z.views[a] = v
}

// hall is a network's rooms: that with all names, and that with what its
// containers all see where they do not see each other.
type hall struct {
	Network
	all, foyer *room
}

func newHall(n Network) *hall {
	h := &hall{Network: n, all: newRoom(n), foyer: newRoom(n)}
	for _, s := range n.Services {
		h.all.serve(s)
		if !s.Headless {
			h.foyer.serve(s)
		}
	}
	return h
}

// seen are the rooms that a stack in the network sees.
func (h *hall) seen(s Stack, p Place) []*room {
	if !h.Apart {
		return []*room{h.all}
	}
	own := newRoom(h.Network)
	own.enter(s, p)
	return []*room{h.foyer, own}
}

// room is names of a network that the same askers see.
type room struct {
	network string
	ttl     uint32
	names   map[string]*record // in lower case
	reverse map[netip.Addr]string
}

// record is the addresses of a name.
type record struct {
	ttl     uint32
	service bool
	v4, v6  []netip.Addr
	turn    atomic.Uint32 // which of several comes first
}

func newRoom(n Network) *room {
	return &room{strings.ToLower(n.Name), n.TTL, make(map[string]*record), make(map[netip.Addr]string)}
}

// serve enters a service, which no container of its name hides.
func (r *room) serve(s Name) {
	r.add(s.Name, s.Addrs)
	r.names[strings.ToLower(s.Name)].service = true
	if !s.Headless {
		r.call(s.Name, s.Addrs)
	}
}

// enter adds a stack's names. Aliases may be those of several.
func (r *room) enter(s Stack, p Place) {
	for _, name := range append(s.Names[:len(s.Names):len(s.Names)], p.Aliases...) {
		if n := r.names[strings.ToLower(name)]; n == nil || !n.service {
			r.add(name, p.Addrs)
		}
	}
	r.call(s.Names[0], p.Addrs)
}

func (r *room) add(name string, addrs []netip.Addr) {
	key := strings.ToLower(name)
	n := r.names[key]
	if n == nil {
		n = &record{ttl: r.ttl}
		r.names[key] = n
	}
	for _, ip := range addrs {
		list := &n.v4
		if ip.Is6() {
			list = &n.v6
		}
		if !slices.Contains(*list, ip) {
			*list = append(*list, ip)
		}
	}
}

// call says what addresses are called.
func (r *room) call(name string, addrs []netip.Addr) {
	for _, ip := range addrs {
		r.reverse[ip] = name + "." + r.network + "." + topology.Domain + "."
	}
}

// find looks a name up in a network, or in the first that has it. The name is in
// lower case. It is nil if there is none.
func (v *view) find(name, network []byte) *record {
	for _, r := range v.rooms {
		if len(network) > 0 && r.network != string(network) {
			continue
		}
		if n := r.names[string(name)]; n != nil {
			return n
		}
	}
	return nil
}

// sees reports whether the asker sees names of a network.
func (v *view) sees(network string) bool {
	return slices.ContainsFunc(v.rooms, func(r *room) bool { return r.network == network })
}

// called is the name of an address, and its TTL.
func (v *view) called(ip netip.Addr) (string, uint32) {
	for _, r := range v.rooms {
		if name := r.reverse[ip]; name != "" {
			return name, r.ttl
		}
	}
	return "", 0
}

// most is how many addresses an answer may have: more would fit into no message.
const most = 1000

// next are the addresses of one family, each first in its turn.
func (n *record) next(v6 bool) (first, rest []netip.Addr) {
	list := n.v4
	if v6 {
		list = n.v6
	}
	if len(list) < 2 {
		return list, nil
	}
	at := int(n.turn.Add(1) % uint32(len(list)))
	first, rest = list[at:], list[:at]
	if len(list) > most {
		first = first[:min(len(first), most)]
		rest = rest[:min(len(rest), most-len(first))]
	}
	return first, rest
}
