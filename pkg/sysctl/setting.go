package sysctl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/netns"
)

// Kinds are the kinds of facts of this chapter.
func Kinds() []fact.Kind { return []fact.Kind{fact.KindOf[Setting]()} }

// Setting is a kernel setting with its value. By hand:
//
//	sysctl -qw net.ipv4.ip_forward=1
//
// The name has dots or slashes; it needs slashes where a link's name holds a
// dot. Source: sysctl(8).
type Setting struct {
	Netns string `json:"netns,omitempty"` // path; "" is the host
	Name  string `json:"name"`
	Value string `json:"value"`
	// Found is the value before: for a link that is yet to come, the one that
	// the kernel gives to new links. Where it is empty nothing is put back.
	Found string `json:"found,omitempty"`
	// Beside are the settings that the kernel changes along with this one, with
	// their values before, where putting Found back would not bring them back.
	Beside map[string]string `json:"found_beside,omitempty"`
	Of     []fact.Key        `json:"of,omitempty"` // what it goes with
}

func (s Setting) Key() fact.Key {
	return fact.Key{Kind: "sysctl.setting", Netns: s.Netns, Name: s.Name}
}

func (s Setting) Within() []fact.Key { return s.Of }

func (s Setting) Say() string {
	where := ""
	if s.Netns != "" {
		where = " in " + netns.Say(s.Netns)
	}
	return fmt.Sprintf("Setting %s is %s%s.", s.Name, s.Value, where)
}

func (s Setting) Why() string {
	path := strings.TrimPrefix(s.path(), root)
	for _, r := range reasons {
		if ok, _ := filepath.Match(r.pattern, path); ok {
			return r.why
		}
	}
	return "The kernel would behave otherwise than the network needs."
}

// reasons say what the settings are for that networks of containers need.
var reasons = [...]struct{ pattern, why string }{
	{"net/ipv4/ip_forward", "The host would drop packets that are not for itself, and the containers reach nothing outside."},
	{"net/ipv6/conf/*/forwarding", "The host would drop IPv6 packets that are not for itself."},
	{"net/ipv4/conf/*/route_localnet", "The host could not reach a published port by 127.0.0.1."},
	{"net/ipv6/conf/*/accept_ra", "The host would lose its IPv6 default route when it starts to forward."},
	{"net/ipv4/conf/*/rp_filter", "Packets whose way back is another link would be dropped."},
	{"net/ipv6/conf/*/disable_ipv6", "Containers could speak IPv6 to the host, and past the rules, though their network has none."},
	{"net/bridge/bridge-nf-call-ip*tables", "Packets within a bridge would bypass the firewall."},
}

// Remember reads the value that is there.
func (s Setting) Remember(context.Context) (fact.Fact, error) {
	found, err := s.read()
	if netns.Gone(err) {
		found, err = s.ofNewLinks().read()
	}
	if err != nil && !netns.Gone(err) {
		return nil, err
	}
	s.Found = found
	s.Beside, err = s.beside()
	return s, err
}

func (s Setting) Probe(context.Context) (fact.Truth, error) {
	value, err := s.read()
	switch {
	case netns.Gone(err) && s.idle():
		return fact.True(), nil
	case netns.Gone(err):
		return fact.False(), nil
	case err != nil:
		return fact.Truth{}, err
	case value != plain(s.Value):
		return fact.Mendable("%s is %s, not %s", s.Name, value, s.Value), nil
	}
	return fact.True(), nil
}

func (s Setting) Make(context.Context) error {
	if err := s.write(s.Value); err != nil && !(netns.Gone(err) && s.idle()) {
		return err
	}
	return nil
}

// Mend writes the value. What was found before the first time stays remembered.
func (s Setting) Mend(ctx context.Context) error { return s.Make(ctx) }

// idle reports whether a setting that is not there is not needed either: one of
// IPv6 on a kernel without it, or of a link of the host's own that has gone.
func (s Setting) idle() bool {
	path := s.path()
	if _, err := os.Stat(root + "net/ipv6"); err != nil && strings.HasPrefix(path, root+"net/ipv6/") {
		return true
	}
	return s.Netns == "" && len(s.Of) == 0 && s.perLink()
}

// Break puts the value found back, if the value is still the fact's own.
func (s Setting) Break(context.Context) error {
	if s.Found == "" || plain(s.Found) == plain(s.Value) {
		return nil
	}
	value, err := s.read()
	if netns.Gone(err) || err == nil && value != plain(s.Value) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.write(s.Found); err != nil {
		return err
	}
	for _, b := range s.sides() {
		if err := b.write(b.Value); err != nil && !netns.Gone(err) {
			return err
		}
	}
	return nil
}

func (s Setting) Commands(v fact.Verb) []fact.Command {
	switch {
	case v == fact.Make && s.absent() && s.idle():
		return nil
	case v == fact.Make, v == fact.Mend:
		return []fact.Command{netns.Cmd(s.Netns, "sysctl", "-qw", s.Name+"="+s.Value)}
	case v == fact.Show:
		return []fact.Command{netns.Cmd(s.Netns, "sysctl", s.Name)}
	case s.Found == "":
		return nil
	}
	back := []fact.Command{netns.Cmd(s.Netns, "sysctl", "-qw", s.Name+"="+s.Found)}
	for _, b := range s.sides() {
		back = append(back, b.Commands(fact.Make)...)
	}
	return back
}

func (s Setting) read() (value string, err error) {
	err = netns.Do(s.Netns, func() error {
		b, err := os.ReadFile(s.path())
		value = plain(string(b))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read setting %s: %w", s.Name, err)
	}
	return value, nil
}

func (s Setting) write(value string) error {
	err := netns.Do(s.Netns, func() error {
		f, err := os.OpenFile(s.path(), os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString(value + "\n")
		return errors.Join(err, f.Close())
	})
	if err != nil {
		return fmt.Errorf("set %s to %s: %w", s.Name, value, err)
	}
	return nil
}

// absent reports whether the setting is not there.
func (s Setting) absent() bool {
	_, err := s.read()
	return netns.Gone(err)
}

const root = "/proc/sys/"

// path is the file of the setting. As with sysctl(8), the separator that comes
// first in the name is the one that counts.
func (s Setting) path() string {
	if i := strings.IndexAny(s.Name, "./"); i >= 0 && s.Name[i] == '.' {
		return root + strings.NewReplacer(".", "/", "/", ".").Replace(s.Name)
	}
	return root + s.Name
}

// plain is a value with its blanks made single: the kernel prints tabs.
func plain(value string) string { return strings.Join(strings.Fields(value), " ") }
