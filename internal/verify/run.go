package verify

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/cnetlab/cnet/internal/probe"
	"github.com/cnetlab/cnet/pkg/netns"
)

// States of a promise that was tried.
const (
	Kept     = "kept"
	Broken   = "broken"
	Unproven = "unproven" // packets were sent, or could not be, and show nothing
)

// Result is a promise and what became of it.
type Result struct {
	Promise
	State string
	Errno string // of a call that failed, as in errno(3); may be empty
	Why   string // of a promise that is not kept: in words
	Hint  string // what that usually means; may be empty
}

// Options of a run.
type Options struct {
	Timeout time.Duration // for an answer that is promised
	Silence time.Duration // after which no answer counts as none
}

// atOnce is how many calls are under way at a time: each has a thread.
const atOnce = 512

// Run tries all promises and returns what became of each, in order: first, at
// once, what must be answered, and then, in peace, what must not. It closes what
// it opened before it returns, and ends early when ctx does.
func Run(ctx context.Context, list []Promise, o Options) ([]Result, error) {
	r := runner{Options: o, open: listen(ctx, list), results: make([]Result, len(list))}
	defer r.close()
	var open, closed []int
	for i, p := range list {
		r.results[i].Promise = p
		if p.Reach {
			open = append(open, i)
		} else {
			closed = append(closed, i)
		}
	}
	r.all(ctx, open)
	// On a machine that is too busy to answer, silence proves nothing: then what
	// was silent is called again, and given longer.
	const tries = 4
	for k := 0; k < tries && len(closed) > 0; k++ {
		late := lag(func() { r.all(ctx, closed) })
		if late < r.Silence/tooLate {
			break
		}
		closed = r.silent(closed)
		r.Silence *= 2
	}
	return r.results, ctx.Err()
}

// tooLate is the part of the silence by which a machine may be late.
const tooLate = 5

// lag is by how much, at most, this process was woken too late while fn ran.
func lag(fn func()) (late time.Duration) {
	done, told := make(chan struct{}), make(chan time.Duration)
	go func() {
		const step = 10 * time.Millisecond
		worst := time.Duration(0)
		for last := time.Now(); ; last = time.Now() {
			select {
			case <-done:
				told <- worst
				return
			case <-time.After(step):
				worst = max(worst, time.Since(last)-step)
			}
		}
	}()
	fn()
	close(done)
	return <-told
}

// silent are those of list that are kept.
func (r runner) silent(list []int) (rest []int) {
	for _, i := range list {
		if r.results[i].State == Kept {
			rest = append(rest, i)
		}
	}
	return rest
}

// all tries the promises of these indexes at once.
func (r runner) all(ctx context.Context, list []int) {
	room := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for _, i := range list {
		i := i
		room <- struct{}{}
		all.Add(1)
		go func() {
			defer func() { <-room; all.Done() }()
			if ctx.Err() == nil {
				r.results[i] = r.try(ctx, r.results[i].Promise)
			}
		}()
	}
	all.Wait()
}

type runner struct {
	Options
	open    map[Server]listener
	results []Result
}

func (r runner) close() {
	for _, l := range r.open {
		if l.close != nil {
			l.close()
		}
	}
}

// try makes the call of a promise and judges what came of it.
func (r runner) try(ctx context.Context, p Promise) Result {
	if p.Proto == SCTP {
		return p.unproven("SCTP is not tried: cnet has no client for it")
	}
	if err := errors.Join(missing(p.From), r.unserved(p)); err != nil {
		if !p.Reach {
			return p.unproven(err.Error())
		}
		return p.broken("", err.Error(), "What cnet made is gone in part: cnet check names it, and cnet repair mends it.")
	}
	if p.Proto == ICMP {
		return r.tryEcho(ctx, p)
	}
	got, err := r.call(ctx, p)
	switch {
	case err != nil:
		return p.unproven(err.Error())
	case got.Errno == "ENOBUFS":
		return p.unproven("the kernel's table of neighbours is full (net.ipv4.neigh.default.gc_thresh3, or ipv6)")
	case p.Reach:
		return r.judgeOpen(p, got)
	}
	return r.judgeClosed(ctx, p, got)
}

func (r runner) tryEcho(ctx context.Context, p Promise) Result {
	wait := r.Timeout
	if !p.Reach {
		wait = r.Silence
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	err := echo(ctx, pathOf(p.From), p.Addr)
	switch {
	case p.Reach == (err == nil):
		return p.kept()
	case !p.Reach:
		return p.isOpen()
	}
	other, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.Silence)
	defer cancel()
	if echo(other, "", p.Addr) != nil {
		return p.unproven("it answers no echo request of the host's either")
	}
	errno, words, hint := probe.Explain(err)
	return p.broken(errno, words, hint)
}

// probing is one kind of call, from a place to a target.
func (r runner) probing(ctx context.Context, p Promise, scheme string, wait time.Duration) (got probe.Result, err error) {
	target := probe.Target{Scheme: scheme, Host: p.Addr.String(), Port: p.Port}
	if scheme == probe.HTTP {
		target.Path = "/"
	}
	err = netns.Do(pathOf(p.From), func() error {
		got = probe.Run(ctx, target, probe.Options{Timeout: wait})
		return nil
	})
	return got, err
}

// call asks as the server understands it. A datagram that must be answered is
// sent again, as it may be lost.
func (r runner) call(ctx context.Context, p Promise) (probe.Result, error) {
	scheme, wait := r.scheme(p), r.Timeout
	if !p.Reach {
		wait = r.Silence
	}
	if scheme != probe.UDP || !p.Reach {
		return r.probing(ctx, p, scheme, wait)
	}
	const tries = 3
	for i := 1; ; i++ {
		got, err := r.probing(ctx, p, scheme, wait/tries)
		if err != nil || got.OK || got.Errno != "ETIMEDOUT" || i == tries {
			return got, err
		}
	}
}

func (r runner) scheme(p Promise) string {
	switch {
	case p.Proto == UDP:
		return probe.UDP
	case r.foreign(p):
		return probe.TCP
	}
	return probe.HTTP
}

// foreign reports whether somebody else may serve the port, or whoever does.
func (r runner) foreign(p Promise) bool {
	others := func(s Server) bool { return r.open[s].foreign }
	return len(p.Servers) == 0 || slices.ContainsFunc(p.Servers, others)
}

// unserved says why one of those who have to answer cannot.
func (r runner) unserved(p Promise) error {
	for _, s := range p.Servers {
		if err := r.open[s].err; err != nil {
			return err
		}
	}
	return nil
}

// isServer reports whether the one of that name may answer.
func (p Promise) isServer(name string) bool {
	return slices.ContainsFunc(p.Servers, func(s Server) bool { return s.name() == name })
}

// judgeOpen judges a call that has to be answered.
func (r runner) judgeOpen(p Promise, got probe.Result) Result {
	if !got.OK {
		if p.Proto == UDP && r.foreign(p) && got.Errno == "ETIMEDOUT" {
			return p.unproven("sent; another server listens there, and it does not answer this")
		}
		return p.broken(got.Errno, got.Error, got.Meaning)
	}
	if r.foreign(p) {
		return p.kept()
	}
	name, client := said(got.Body)
	switch {
	case !p.isServer(name):
		return p.broken("", "another server answers there", "The packets go somewhere else: a rule rewrites them, or the port is another's.")
	case p.Sees.IsValid() && client != p.Sees:
		return p.broken("", fmt.Sprintf("it is answered, but is not seen there as %s", p.Sees), sourceHint(p))
	}
	return p.kept()
}

func sourceHint(p Promise) string {
	if p.To == TheOutside {
		return "The source is not masqueraded as it should be: hosts that know no way back to the container do not answer."
	}
	return "A rule masquerades what comes in: the server cannot tell its clients apart."
}

// judgeClosed judges a call that must not be answered. A connection that stood
// without a word in the short time is given a longer one.
func (r runner) judgeClosed(ctx context.Context, p Promise, got probe.Result) Result {
	if p.Proto == TCP && !r.foreign(p) && !got.OK && got.Remote != "" && got.Body == "" {
		if again, err := r.probing(ctx, p, probe.HTTP, r.Timeout); err == nil {
			got = again
		}
	}
	name, _ := said(got.Body)
	switch {
	case !got.OK && p.Proto == UDP && r.foreign(p) && got.Errno == "ETIMEDOUT":
		return p.unproven("sent; another server listens there, and its silence proves nothing")
	case !got.OK, !r.foreign(p) && !p.isServer(name):
		return p.kept()
	}
	return p.isOpen()
}

func (p Promise) isOpen() Result {
	hint := "What should be closed is open: a rule lets it pass before cnet's guard does, or the guard is gone."
	if p.Own {
		hint = "cnet does not promise that; networks of their own, --icc=false or --internal keep containers apart."
	}
	return p.broken("", "it answers, and must not", hint)
}

func (p Promise) kept() Result { return Result{Promise: p, State: Kept} }

func (p Promise) unproven(why string) Result { return Result{Promise: p, State: Unproven, Why: why} }

func (p Promise) broken(errno, why, hint string) Result {
	return Result{Promise: p, State: Broken, Errno: errno, Why: why, Hint: hint}
}

// sortKey orders what is told of results alike.
func (r Result) sortKey() string {
	return fmt.Sprintf("%s %s %v %s %s", r.target(), netip.AddrPortFrom(r.Addr, r.Port), r.Reach, r.Errno, r.Why)
}
