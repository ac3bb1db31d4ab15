package names

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Asking is how questions are asked, as a resolv.conf(5) says it.
type Asking struct {
	Servers []string // addresses, asked in this order until one answers
	Search  []string // domains that are tried behind a name, with a dot in it after the name itself
}

// Record is a piece of an answer.
type Record struct {
	Name string `json:"name" yaml:"name"`
	Type string `json:"type" yaml:"type"`
	TTL  uint32 `json:"ttl" yaml:"ttl"` // seconds
	Data string `json:"data" yaml:"data"`
}

// Result is what is known of a name.
type Result struct {
	Name    string   `json:"name" yaml:"name"`     // that was asked for
	Server  string   `json:"server" yaml:"server"` // that answered
	Status  string   `json:"status" yaml:"status"` // NOERROR, NXDOMAIN, REFUSED ... (RFC 1035)
	Records []Record `json:"records" yaml:"records"`
}

// ErrSilent is the error when no server answers.
var ErrSilent = errors.New("no answer")

// ReadAsking reads a resolv.conf(5).
func ReadAsking(file string) (Asking, error) {
	c, err := dns.ClientConfigFromFile(file)
	if err != nil {
		return Asking{}, err
	}
	return Asking{c.Servers, c.Search}, nil
}

// Types are those of the records to ask for: of the word, or addresses of both
// families. An unknown word is an error.
func Types(word string) ([]uint16, error) {
	if word == "" {
		return []uint16{dns.TypeA, dns.TypeAAAA}, nil
	}
	t, ok := dns.StringToType[strings.ToUpper(word)]
	if !ok {
		return nil, fmt.Errorf("there is no type %s of records", strconv.Quote(word))
	}
	return []uint16{t}, nil
}

// Resolve asks for a name, in the forms that the search domains give it, until
// there is one that is known. An address is asked for its name.
func (a Asking) Resolve(ctx context.Context, name string, types []uint16) (r Result, err error) {
	if ip, err := netip.ParseAddr(name); err == nil {
		if name, err = dns.ReverseAddr(ip.Unmap().WithZone("").String()); err != nil {
			return r, err
		}
		types = []uint16{dns.TypePTR}
	}
	if _, ok := dns.IsDomainName(name); !ok {
		return r, errors.New("it is not a name")
	}
	c := dns.ClientConfig{Search: a.Search, Ndots: 1}
	for _, full := range c.NameList(name) {
		if r, err = a.all(ctx, full, types); err != nil || r.Status == "NOERROR" {
			break
		}
	}
	return r, err
}

// all asks for all types of records of a full name.
func (a Asking) all(ctx context.Context, name string, types []uint16) (Result, error) {
	r := Result{Name: name, Records: []Record{}}
	for _, t := range types {
		reply, server, err := a.ask(ctx, new(dns.Msg).SetQuestion(name, t))
		if err != nil {
			return r, err
		}
		r.Server, r.Status = server, dns.RcodeToString[reply.Rcode]
		for _, rr := range reply.Answer {
			h := rr.Header()
			r.Records = append(r.Records, Record{h.Name, dns.TypeToString[h.Rrtype], h.Ttl, strings.TrimPrefix(rr.String(), h.String())})
		}
	}
	return r, nil
}

// ask asks the servers, by TCP where the answer is too long for a datagram.
func (a Asking) ask(ctx context.Context, q *dns.Msg) (reply *dns.Msg, server string, err error) {
	if len(a.Servers) == 0 {
		return nil, "", fmt.Errorf("%w: there is nobody to ask", ErrSilent)
	}
	for _, server = range a.Servers {
		at := net.JoinHostPort(server, strconv.Itoa(Port))
		c := dns.Client{Timeout: 2 * time.Second}
		reply, _, err = c.ExchangeContext(ctx, q, at)
		if err == nil && reply.Truncated {
			c.Net = "tcp"
			reply, _, err = c.ExchangeContext(ctx, q, at)
		}
		if err == nil {
			return reply, server, nil
		}
	}
	return nil, server, fmt.Errorf("%w from %s: %w", ErrSilent, server, err)
}
