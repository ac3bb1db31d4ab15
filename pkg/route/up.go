package route

import (
	"context"
	"net/netip"

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
	// Source is the path of the namespace before it is pinned at Netns, if it
	// is another's: there its links are looked at.
	Source string `json:"source,omitempty"`
	// Found is "up" if the link was up before; then it stays up. It is "down"
	// if a loopback link was down that had been up: it has its address already.
	Found string     `json:"found,omitempty"`
	Of    []fact.Key `json:"of,omitempty"` // what it goes with
}

func (u Up) Key() fact.Key { return fact.Key{Kind: "route.up", Netns: u.Netns, Name: u.Link} }

func (u Up) Within() []fact.Key { return u.Of }

func (u Up) Say() string { return netns.SayLink(u.Netns, u.Link) + " is up." }

func (u Up) Why() string { return "A link that is down neither sends nor receives." }

func (u Up) Remember(ctx context.Context) (fact.Fact, error) {
	found, err := u.look(ctx)
	if netns.Gone(err) && u.Source != "" {
		found, err = Up{Netns: u.Source, Link: u.Link}.look(ctx)
	}
	if err != nil && !netns.Gone(err) {
		return nil, err
	}
	u.Found = found
	return u, nil
}

// look returns what is there, in the words of Found.
func (u Up) look(ctx context.Context) (string, error) {
	up, err := u.isUp(ctx)
	switch {
	case err != nil:
		return "", err
	case up:
		return "up", nil
	case u.Link != loopback:
		return "", nil
	}
	truth, err := u.ownAddress().Probe(ctx)
	if truth.State == fact.Absent {
		return "", err
	}
	return "down", err
}

func (u Up) Probe(ctx context.Context) (fact.Truth, error) {
	up, err := u.isUp(ctx)
	switch {
	case netns.Gone(err):
		return fact.False(), nil
	case err != nil:
		return fact.Truth{}, err
	case !up:
		return fact.Mendable("%s is down", netns.SayLink(u.Netns, u.Link)), nil
	}
	return fact.True(), nil
}

func (u Up) isUp(ctx context.Context) (bool, error) {
	flags, err := netns.LinkFlags(ctx, u.Netns, u.Link)
	return flags&unix.IFF_UP != 0, err
}

// Make brings the link up. That of a namespace comes after that of the host at the
// other end of its cable, and so has to wait for the carrier.
func (u Up) Make(ctx context.Context) error {
	if u.Netns == "" || u.Link == loopback {
		return u.set(ctx)
	}
	return u.Mend(ctx)
}

// Mend brings the link up. Of the routes over it, all of which ended when it
// went down, the kernel brings back only those of its addresses.
func (u Up) Mend(ctx context.Context) error {
	if err := u.set(ctx); err != nil {
		return err
	}
	return netns.Carry(ctx, u.Netns, u.Link)
}

func (u Up) set(ctx context.Context) error {
	return netns.SetLink(ctx, u.Netns, u.Link, unix.IFF_UP, unix.IFF_UP)
}

func (u Up) Break(ctx context.Context) error {
	if u.Found == "up" {
		return nil
	}
	if err := netns.SetLink(ctx, u.Netns, u.Link, 0, unix.IFF_UP); err != nil && !netns.Gone(err) {
		return err
	}
	if u.Link == loopback && u.Found == "" {
		return u.ownAddress().Break(ctx)
	}
	return nil
}

const loopback = "lo"

// ownAddress is what the kernel gives a loopback link that comes up without an
// address, and does not take back.
func (u Up) ownAddress() Address {
	return Address{Netns: u.Netns, Link: u.Link, Prefix: netip.MustParsePrefix("127.0.0.1/8")}
}

func (u Up) Commands(v fact.Verb) []fact.Command {
	switch {
	case v == fact.Make, v == fact.Mend:
		return []fact.Command{netns.IP(u.Netns, "link", "set", "dev", u.Link, "up")}
	case v == fact.Show:
		return []fact.Command{netns.IP(u.Netns, "link", "show", "dev", u.Link)}
	case u.Found == "up":
		return nil
	}
	down := []fact.Command{netns.IP(u.Netns, "link", "set", "dev", u.Link, "down")}
	if u.Link != loopback || u.Found != "" {
		return down
	}
	for _, c := range u.ownAddress().Commands(fact.Break) {
		c.MayFail = true
		down = append(down, c)
	}
	return down
}
