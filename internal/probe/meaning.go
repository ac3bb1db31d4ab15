package probe

import (
	"errors"
	"syscall"
)

const meaningOfStatus = "The network did its work: a server answered, and refused or failed by itself."

// meanings is what an errno usually means among containers, before the other
// side has answered anything.
var meanings = map[string]string{
	"ECONNREFUSED": "The packet arrived, and the host answered that nothing listens at that port: no server runs, " +
		"it is bound to 127.0.0.1 alone or to another port, or the port is not published.",
	"ENETUNREACH": "This network namespace has no route to that network, so no packet left. " +
		"Add a network or a default route (cnet connect), or set the link up.",
	"EHOSTUNREACH": "There is a route, but nobody on the link answers for the address (ARP, or neighbour discovery): " +
		"no such container, or its link is down. Or a router or firewall on the way rejected the packet.",
	"ETIMEDOUT": "Packets leave and nothing comes back: a firewall drops them, the host between does not forward (net.ipv4.ip_forward), " +
		"the reply finds no way home because the source was not masqueraded, or the server's accept queue is full.",
	"ECONNRESET": "A connection stood, and the other side or a firewall cut it short.",
	"EPIPE":      "A connection stood, and the other side had closed it already.",
	"EACCES":     "A route of this network namespace prohibits it (ip route, type prohibit), or the address is a broadcast address.",
	"EPERM":      "A firewall rule of this network namespace drops what leaves it (the chain OUTPUT).",
	"EINVAL":     "The kernel takes no such address here: a blackhole route, or a link-local address without its link (fe80::1%eth0).",
	"EADDRNOTAVAIL": "No link of this network namespace has the address to send from, or all its ports are in use. " +
		"For IPv6 it may have no address at all.",
	"EAFNOSUPPORT":   "The kernel has that address family switched off; for IPv6, look at ipv6.disable.",
	"ENETDOWN":       "The link that the route uses is down: ip link set dev LINK up.",
	"ENODEV":         "The link named after % does not exist in this network namespace.",
	"EMSGSIZE":       "The packet is longer than a link on the way takes (its MTU).",
	"EMFILE":         "This process has no file descriptors left; the network was not asked.",
	"ECANCELED":      "The probe was stopped before an answer came.",
	"EPROTO":         "A server answered, but what it said is not HTTP. A port was reached; is it the right one?",
	"EOF":            "A connection stood, and the other side closed it before a whole answer came: the server gave up, or a proxy before it found no server.",
	"EAI_NONAME":     "No packet left for the host. Neither /etc/hosts nor a name server knows the name; a container's own file is /etc/netns/NAME/hosts.",
	"EAI_AGAIN":      "No packet left for the host. The name server did not answer, or none can be reached from here; look at resolv.conf (a container's own is /etc/netns/NAME/resolv.conf).",
	"EAI_ADDRFAMILY": "The host and the source are not both of IPv4 or both of IPv6.",
}

const (
	meaningOfSilence = "The connection stands, so the network works both ways, but no whole answer came in time: " +
		"the server is slow or hangs, or large packets get lost (MTU)."
	meaningOfUDPSilence = "The datagram left and no answer came. UDP has no handshake: a server that keeps silent, a firewall that drops, " +
		"and a reply that finds no way home (no masquerade, no forwarding) all look like this."
)

func (r *Result) meaning(err error) string {
	if r.Errno == "ETIMEDOUT" && r.Remote != "" && ours(err) {
		if r.Target.Scheme == UDP {
			return meaningOfUDPSilence
		}
		return meaningOfSilence
	}
	if m, ok := meanings[r.Errno]; ok {
		return m
	}
	return "The kernel's own word; errno(3) and connect(2) say more."
}

// ours says that a deadline ended it, not the kernel.
func ours(err error) bool { return !errors.Is(err, syscall.ETIMEDOUT) }
