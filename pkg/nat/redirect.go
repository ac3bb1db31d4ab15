package nat

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/pkg/fact"
)

// OwnMark is the mark of the packets that a proxy sends itself (SO_MARK, socket(7)).
// Who may not administer the network cannot set it. It reads "cnet".
const OwnMark = 0x636e6574

// The chains of a [Redirect].
const (
	chainRedirect = "CNET-REDIRECT" // nat: what the container calls
	chainInbound  = "CNET-INBOUND"  // nat: what calls the container
)

// Redirect is the fact that new TCP connections of a container are led to a proxy
// in its own namespace: those that it makes or, with Inbound, those that come to
// it. By hand, of those that it makes:
//
//	ip netns exec web iptables -t nat -N CNET-REDIRECT
//	ip netns exec web iptables -t nat -A CNET-REDIRECT -p tcp -m mark --mark 0x636e6574 -j RETURN
//	ip netns exec web iptables -t nat -A CNET-REDIRECT -o lo -j RETURN
//	ip netns exec web iptables -t nat -A CNET-REDIRECT -p tcp --syn -m mark ! --mark 0x636e6574 -j REDIRECT --to-ports 15001
//	ip netns exec web iptables -t nat -I OUTPUT 1 -p tcp -j CNET-REDIRECT
//
// The proxy marks what it sends itself, or it would call itself for ever. That is
// asked twice: the first rule counts what is the proxy's own, and the last would
// spare it even if the first were deleted. What stays inside the container goes
// by no proxy, and neither do connections that are open: to a kernel that has just
// begun to track, their next packet looks like a first (nf_conntrack_tcp_loose). The proxy asks the kernel where a connection was to go
// (SO_ORIGINAL_DST, linux/netfilter_ipv4.h).
//
// Source: iptables-extensions(8) (REDIRECT, mark), nft(8).
type Redirect struct {
	On
	Container string `json:"container"`
	Inbound   bool   `json:"inbound,omitempty"`
	Port      uint16 `json:"port"` // of the proxy
	// Ends: new connections are led there no more; those that were go on. The kernel
	// tracks connections in a namespace only while a rule asks for it: without one it
	// would forget who was led where, and both ends would wait in vain.
	Ends bool `json:"ends,omitempty"`
}

// Redirects are the facts that lead a container's connections to a proxy, in the
// order in which they are made.
func Redirects(r Redirect) []fact.Fact {
	if r.Backend == Nftables {
		return []fact.Fact{r.hook(RoleTable), r}
	}
	return []fact.Fact{r}
}

// Key is the container and the direction.
func (r Redirect) Key() fact.Key { return r.key("nat.redirect", r.Container+" "+r.direction()) }

func (r Redirect) direction() string {
	if r.Inbound {
		return "in"
	}
	return "out"
}

// Needs is the table, with nftables.
func (r Redirect) Needs() []fact.Key {
	if r.Backend != Nftables {
		return nil
	}
	return r.hooks(RoleTable)
}

// Say names the proxy.
func (r Redirect) Say() string {
	if r.Ends {
		return fmt.Sprintf("%s connections of %s (%s) that were led to its proxy go on, and new ones are not led there.", r.family(), r.Container, r.direction())
	}
	if r.Inbound {
		return fmt.Sprintf("%s connections that come to %s are led to the proxy at its port %d.", r.family(), r.Container, r.Port)
	}
	return fmt.Sprintf("%s connections that %s makes are led to the proxy at its port %d, but for the proxy's own.", r.family(), r.Container, r.Port)
}

// Why is what the container would do without.
func (r Redirect) Why() string {
	if r.Ends {
		return "The kernel would track connections no more, and those to the proxy would be lost."
	}
	if r.Inbound {
		return "The container's server would be called directly, past its proxy."
	}
	return "The container would call others directly, past its proxy."
}

// Probe looks for the rules.
func (r Redirect) Probe(ctx context.Context) (fact.Truth, error) { return probe(ctx, r) }

// Make adds the chain with its rules; if it exists already the error wraps fs.ErrExist.
func (r Redirect) Make(ctx context.Context) error { return r.MakeAll(ctx, []fact.Fact{r}) }

// Break deletes the chain and what is in it. Connections that were led to the
// proxy go on.
func (r Redirect) Break(ctx context.Context) error { return r.BreakAll(ctx, []fact.Fact{r}) }

// Mend adds the rules that are missing, and leaves one of each, in order.
func (r Redirect) Mend(ctx context.Context) error { return mend(ctx, r) }

// Commands are the same by hand.
func (r Redirect) Commands(v fact.Verb) []fact.Command { return commands(v, r) }

func (r Redirect) iptables() []Rule {
	chain, from, inside, words := chainRedirect, "OUTPUT", "-o lo", "-p tcp"
	if r.Inbound { // not what only passes through, where the container is a router
		chain, from, inside, words = chainInbound, "PREROUTING", "-i lo", "-p tcp -m addrtype --dst-type LOCAL"
	}
	note, mark := "cnet "+r.Container, fmt.Sprintf("--mark %#x", OwnMark)
	return []Rule{
		r.chain("nat", chain),
		r.rule("nat", chain, "-p tcp -m mark "+mark, note+" own", "RETURN"),
		r.rule("nat", chain, inside, "", "RETURN"),
		r.taking(chain, "-p tcp --tcp-flags FIN,SYN,RST,ACK SYN -m mark ! "+mark, note),
		r.rule("nat", from, words, "cnet", chain).first(),
	}
}

// taking is the rule that leads to the proxy; or, at the end, one that only has the
// kernel go on tracking: this table sees no connection but new ones.
func (r Redirect) taking(chain, words, note string) Rule {
	if r.Ends {
		return r.rule("nat", chain, "-m conntrack --ctstate RELATED,ESTABLISHED", note, "RETURN")
	}
	return r.rule("nat", chain, words, note, fmt.Sprintf("REDIRECT --to-ports %d", r.Port))
}

func (r Redirect) nftables() []nftObject {
	name, note := r.named("redirect-"+r.direction()), "cnet "+r.Container
	chain := nftChain{name, "nat", unix.NF_INET_LOCAL_OUT, nftPublish, "hook output priority -110"}
	inside := link(expr.MetaKeyOIFNAME, expr.CmpOpEq, "lo")
	to := []nftPart{r.only(), syn(), marked(expr.CmpOpNeq)}
	if r.Inbound {
		chain = nftChain{name, "nat", unix.NF_INET_PRE_ROUTING, nftPublish, "hook prerouting priority dstnat - 10"}
		inside = link(expr.MetaKeyIIFNAME, expr.CmpOpEq, "lo")
		to = append(to, fibLocal())
	}
	to = append(to, counted(), redirect(r.Port))
	if r.Ends {
		to = []nftPart{knownState(), leave()}
	}
	return []nftObject{
		chain,
		nftRule{name, []nftPart{r.only(), tcp(), marked(expr.CmpOpEq), counted(), leave()}, note + " own"},
		nftRule{name, []nftPart{inside, leave()}, ""},
		nftRule{name, to, note},
	}
}

func tcp() nftPart {
	return nftPart{"meta l4proto tcp", []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: first}, equals(expr.CmpOpEq, []byte{unix.IPPROTO_TCP})}}
}

// syn asks for the packet that opens a connection.
func syn() nftPart {
	const finSynRstAck, syn = 0x17, 0x02
	return nftPart{"tcp flags & (fin | syn | rst | ack) == syn", []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: first}, equals(expr.CmpOpEq, []byte{unix.IPPROTO_TCP}),
		&expr.Payload{Base: expr.PayloadBaseTransportHeader, Offset: 13, Len: 1, DestRegister: first},
		&expr.Bitwise{SourceRegister: first, DestRegister: first, Len: 1, Mask: []byte{finSynRstAck}, Xor: []byte{0}},
		equals(expr.CmpOpEq, []byte{syn}),
	}}
}

// marked asks for the proxy's own mark.
func marked(op expr.CmpOp) nftPart {
	words := "meta mark "
	if op == expr.CmpOpNeq {
		words += "!= "
	}
	return nftPart{words + fmt.Sprintf("%#x", OwnMark), []expr.Any{
		&expr.Meta{Key: expr.MetaKeyMARK, Register: first}, equals(op, binary.NativeEndian.AppendUint32(nil, OwnMark)),
	}}
}

func redirect(port uint16) nftPart {
	return nftPart{fmt.Sprintf("redirect to :%d", port), []expr.Any{
		&expr.Immediate{Register: first, Data: binary.BigEndian.AppendUint16(nil, port)},
		&expr.Redir{RegisterProtoMin: first, RegisterProtoMax: first},
	}}
}

// Counts are the connections that were led to the proxy, and those that the proxy
// made itself, as the rules count them.
func (r Redirect) Counts(ctx context.Context) (taken, own Count, err error) {
	err = r.inside(ctx, func(ctx context.Context) error {
		read, err := r.counter(ctx)
		if err != nil {
			return err
		}
		own, _ = read(ruleOf{r, 1})
		taken, _ = read(ruleOf{r, 3})
		return nil
	})
	return taken, own, err
}

// ruleOf is one rule of a redirect, by its place.
type ruleOf struct {
	Redirect
	at int
}

func (r ruleOf) iptables() []Rule      { return r.Redirect.iptables()[r.at : r.at+1] }
func (r ruleOf) nftables() []nftObject { return r.Redirect.nftables()[r.at : r.at+1] }
