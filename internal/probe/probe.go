// Package probe is a client that names what it meets. Other clients say "failed
// to connect" for a port that nobody listens at and for a network without a
// route alike; the kernel knows better and says so in an errno, and each errno
// of container networking has few causes.
//
// Sockets are made on the calling thread where the host is an IP address, so
// that a probe may run inside a network namespace entered by setns(2). A name is
// looked up by Go's resolver, on threads of its own: for names, the whole
// process must be inside.
//
// connect(2), ip(7), tcp(7), udp(7), getaddrinfo(3).
package probe

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// DefaultTimeout leaves the kernel its three seconds to find that nobody
// answers for an address on the link, which is EHOSTUNREACH.
const DefaultTimeout = 5 * time.Second

// bodyMax is how many bytes of an answer are kept.
const bodyMax = 64 << 10

// Options of a probe.
type Options struct {
	Timeout time.Duration // for all of it; 0 is DefaultTimeout
	Source  netip.Addr    // the address to ask from; the zero Addr lets the kernel choose
	Header  http.Header   // of each request of HTTP, a Host too
}

// Result is what a probe met.
type Result struct {
	Target Target `json:"target"`

	// OK: the handshake was made (TCP), an answer came (UDP), or an answer came
	// whose status is below 400 (HTTP).
	OK bool `json:"ok"`

	// Errno is the kernel's name of what went wrong, as in errno(3). Four
	// others are no errno, which Error then says: EAI_NONAME, EAI_AGAIN and
	// EAI_ADDRFAMILY of getaddrinfo(3), and EOF, a connection closed without a
	// whole answer. It is empty when OK, and when HTTP answered with an error.
	Errno   string `json:"errno,omitempty"`
	Error   string `json:"error,omitempty"`   // the same in a few words
	Meaning string `json:"meaning,omitempty"` // what that usually means among containers

	Local   string        `json:"local,omitempty"`  // this side's ADDRESS:PORT
	Remote  string        `json:"remote,omitempty"` // the other side's, as this side sees it
	Status  int           `json:"status,omitempty"` // of HTTP
	Body    string        `json:"body,omitempty"`   // the answer's first 64 KiB
	Elapsed time.Duration `json:"elapsed_ns"`
}

// Run asks the target once. What goes wrong is the result, too.
func Run(ctx context.Context, t Target, o Options) Result {
	c := client{target: t, Options: o}
	return c.run(ctx)
}

// client asks a target, each time over a new connection or, if it stays, over
// the one that it has.
type client struct {
	Options
	target Target
	stays  bool
	whole  bool // read answers to their end, beyond what is kept of them
	conn   net.Conn
	over   bool // nothing can be asked over it any more
}

func (c *client) run(ctx context.Context) Result {
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	start := time.Now()
	r := Result{Target: c.target}
	err := r.ask(ctx, c)
	if err != nil || !c.stays || c.over || ctx.Err() != nil { // the deadline may have come just after the answer
		c.close()
	}
	r.Elapsed = time.Since(start)
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		err = ctx.Err()
	}
	r.judge(err)
	return r
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn, c.over = nil, false
	}
}

func (r *Result) ask(ctx context.Context, c *client) (err error) {
	if c.conn != nil && spent(c.conn) {
		c.close()
	}
	if c.conn == nil {
		if c.conn, err = dial(ctx, r.Target, c.Source); err != nil {
			return err
		}
	}
	conn := c.conn
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	r.Local, r.Remote = conn.LocalAddr().String(), conn.RemoteAddr().String()
	switch r.Target.Scheme {
	case HTTP:
		return r.get(c)
	case UDP:
		return r.exchange(conn)
	}
	return nil
}

// exchange sends a datagram and waits for one. The socket is connected, so that
// the kernel reports a refusal, which comes as an ICMP message.
func (r *Result) exchange(conn net.Conn) error {
	if _, err := conn.Write([]byte("hello\n")); err != nil {
		return err
	}
	answer := make([]byte, bodyMax)
	n, err := conn.Read(answer)
	r.Body = string(answer[:n])
	return err
}
