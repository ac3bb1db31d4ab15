package names

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// How long upstream servers have: each, and all together, so that a client that
// waits for five seconds, as resolvers do, still hears that there is no answer.
const (
	patience = 1500 * time.Millisecond
	enough   = 4500 * time.Millisecond
)

// How many queries may be waiting for upstream servers: of all clients, and of each.
const (
	waiting     = 1024
	waitingEach = 128
)

// forwarder asks the resolvers of the host, or those of a container's own.
type forwarder struct {
	file string // resolv.conf(5)
	mu   sync.Mutex
	busy map[asker]int
	all  int
	down map[netip.Addr]time.Time // when a server was last silent
}

// start asks for the answer to q, which came by udp or tcp, and gives it to done,
// which is called once; where there is nobody to ask, there is no such name.
func (f *forwarder) start(z *Zone, a asker, v *view, q *dns.Msg, by string, done func(*dns.Msg)) {
	servers := f.servers(z, v)
	if len(servers) == 0 {
		done(failed(q, dns.RcodeNameError))
		return
	}
	if !f.take(a) {
		done(failed(q, dns.RcodeServerFailure))
		return
	}
	go func() {
		defer f.give(a)
		done(f.ask(servers, q, by))
	}()
}

// servers are those to ask for a client: none for one that does not reach the
// outside, since names are a way out too. A gateway would ask itself.
func (f *forwarder) servers(z *Zone, v *view) (list []netip.Addr) {
	if !v.out {
		return nil
	}
	servers := v.upstream
	if len(servers) == 0 {
		servers = nameservers(f.file)
	}
	for _, ip := range servers {
		if !z.gateways[ip] {
			list = append(list, ip)
		}
	}
	return list
}

// nameservers reads a resolv.conf(5). It is read each time: it may change, and
// whom it names takes far longer to answer.
func nameservers(file string) (list []netip.Addr) {
	text, _ := os.ReadFile(file)
	for _, line := range strings.Split(string(text), "\n") {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "nameserver" {
			if ip, err := netip.ParseAddr(words[1]); err == nil {
				list = append(list, ip)
			}
		}
	}
	return list
}

func (f *forwarder) take(a asker) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all >= waiting || f.busy[a] >= waitingEach {
		return false
	}
	if f.busy == nil {
		f.busy = make(map[asker]int)
	}
	f.all++
	f.busy[a]++
	return true
}

func (f *forwarder) give(a asker) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all--
	if f.busy[a]--; f.busy[a] == 0 {
		delete(f.busy, a)
	}
}

// ask asks the servers one after the other, those that were silent lately last.
func (f *forwarder) ask(servers []netip.Addr, q *dns.Msg, by string) *dns.Msg {
	ctx, cancel := context.WithTimeout(context.Background(), enough)
	defer cancel()
	var last *dns.Msg
	for _, ip := range f.inTurn(servers) {
		reply, err := exchange(ctx, ip, q, by)
		f.note(ip, err != nil)
		if err != nil {
			continue
		}
		last = relay(q, reply)
		if reply.Rcode != dns.RcodeServerFailure && reply.Rcode != dns.RcodeRefused {
			break
		}
	}
	if last == nil {
		return failed(q, dns.RcodeServerFailure)
	}
	return last
}

// sulk is how long a server that was silent is asked last.
const sulk = 30 * time.Second

func (f *forwarder) inTurn(servers []netip.Addr) []netip.Addr {
	f.mu.Lock()
	defer f.mu.Unlock()
	var first, last []netip.Addr
	for _, ip := range servers {
		if t, ok := f.down[ip]; ok && time.Since(t) < sulk {
			last = append(last, ip)
		} else {
			first = append(first, ip)
		}
	}
	return append(first, last...)
}

func (f *forwarder) note(ip netip.Addr, silent bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down == nil {
		f.down = make(map[netip.Addr]time.Time)
	}
	if silent {
		f.down[ip] = time.Now()
	} else {
		delete(f.down, ip)
	}
}

// exchange asks one server, from a port and with a number of its own, which who
// would forge a reply has to guess (RFC 5452), and takes only a reply to the
// question.
func exchange(ctx context.Context, server netip.Addr, q *dns.Msg, by string) (*dns.Msg, error) {
	query := new(dns.Msg)
	query.Id = dns.Id()
	query.RecursionDesired, query.CheckingDisabled, query.AuthenticatedData = q.RecursionDesired, q.CheckingDisabled, q.AuthenticatedData
	query.Question = q.Question
	opt := q.IsEdns0()
	if opt != nil { // options are between neighbours (RFC 6891): they are not passed on
		query.SetEdns0(uint16(limit(opt.UDPSize())), opt.Do())
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := dial(ctx, by, server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	conn.UDPSize = dns.MinMsgSize
	if opt != nil {
		conn.UDPSize = payload
	}
	if err := conn.WriteMsg(query); err != nil {
		return nil, err
	}
	for {
		reply, err := conn.ReadMsg()
		if err == nil && answers(reply, query) {
			return reply, nil
		}
		if err != nil && (by == "tcp" || reply == nil) {
			return nil, err
		}
	}
}

func dial(ctx context.Context, by string, server netip.Addr) (*dns.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, by, netip.AddrPortFrom(server, Port).String())
	if err != nil {
		return nil, err
	}
	return &dns.Conn{Conn: c}, nil
}

// answers reports whether a message is the reply to a query.
func answers(reply, query *dns.Msg) bool {
	if !reply.Response || reply.Id != query.Id || len(reply.Question) != 1 {
		return false
	}
	a, b := reply.Question[0], query.Question[0]
	return a.Qtype == b.Qtype && a.Qclass == b.Qclass && strings.EqualFold(a.Name, b.Name)
}

// relay is a server's reply as the client gets it: to its own number, and its
// name as it wrote it.
func relay(q, from *dns.Msg) *dns.Msg {
	reply := failed(q, from.Rcode)
	reply.Truncated, reply.AuthenticatedData, reply.RecursionAvailable = from.Truncated, from.AuthenticatedData, from.RecursionAvailable
	reply.Answer, reply.Ns = from.Answer, from.Ns
	for _, rr := range from.Extra {
		if rr.Header().Rrtype != dns.TypeOPT {
			reply.Extra = append(reply.Extra, rr)
		}
	}
	return reply
}

// failed is a reply with nothing but a code.
func failed(q *dns.Msg, code int) *dns.Msg {
	reply := new(dns.Msg).SetRcode(q, code&0xf)
	reply.RecursionAvailable, reply.Compress = true, true
	if opt := q.IsEdns0(); opt != nil {
		reply.SetEdns0(payload, opt.Do())
	}
	return reply
}
