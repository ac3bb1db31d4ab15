package route

import (
	"context"

	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
	"golang.org/x/sys/unix"
)

// Kinds are the kinds of facts of this chapter.
func Kinds() []fact.Kind {
	return []fact.Kind{
		fact.KindOf[Up](),
		fact.KindOf[NoAddrGen](),
		fact.KindOf[Address](),
		fact.KindOf[Route](),
	}
}

// Up is a link that is up: it may send and receive. By hand:
//
//	ip -n web link set dev eth0 up
//
// Source: ip-link(8).
type Up struct {
	Netns string `json:"netns,omitempty"` // path; "" is the host
	Link  string `json:"link"`
	// Found is "up" if the link was up before; then it stays up.
	Found string     `json:"found,omitempty"`
	Of    []fact.Key `json:"of,omitempty"` // what it goes with
}

func (u Up) Key() fact.Key { return fact.Key{Kind: "route.up", Netns: u.Netns, Name: u.Link} }

func (u Up) Within() []fact.Key { return u.Of }

func (u Up) Say() string { return netns.SayLink(u.Netns, u.Link) + " is up." }

func (u Up) Why() string { return "A link that is down neither sends nor receives." }

func (u Up) Remember(ctx context.Context) (fact.Fact, error) {
	up, err := u.isUp(ctx)
	if err != nil && !netns.Gone(err) {
		return nil, err
	}
	u.Found = ""
	if up {
		u.Found = "up"
	}
	return u, nil
}

func (u Up) Probe(ctx context.Context) (fact.Truth, error) {
	up, err := u.isUp(ctx)
	switch {
	case netns.Gone(err):
		return fact.False(), nil
	case err != nil:
		return fact.Truth{}, err
	case !up:
		return fact.Other("%s is down", netns.SayLink(u.Netns, u.Link)), nil
	}
	return fact.True(), nil
}

func (u Up) isUp(ctx context.Context) (bool, error) {
	flags, err := netns.LinkFlags(ctx, u.Netns, u.Link)
	return flags&unix.IFF_UP != 0, err
}

func (u Up) Make(ctx context.Context) error {
	return netns.SetLink(ctx, u.Netns, u.Link, unix.IFF_UP, unix.IFF_UP)
}

func (u Up) Break(ctx context.Context) error {
	if u.Found == "up" {
		return nil
	}
	if err := netns.SetLink(ctx, u.Netns, u.Link, 0, unix.IFF_UP); err != nil && !netns.Gone(err) {
		return err
	}
	return nil
}

func (u Up) Commands(v fact.Verb) []fact.Command {
	switch {
	case v == fact.Make:
		return []fact.Command{netns.IP(u.Netns, "link", "set", "dev", u.Link, "up")}
	case v == fact.Show:
		return []fact.Command{netns.IP(u.Netns, "link", "show", "dev", u.Link)}
	case u.Found == "up":
		return nil
	}
	return []fact.Command{netns.IP(u.Netns, "link", "set", "dev", u.Link, "down")}
}
