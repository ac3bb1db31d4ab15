package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/world"
	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
	"github.com/cnetlab/cnet/pkg/sysctl"
)

func forwarding() fact.Fact { return sysctl.Setting{Name: "net.ipv4.ip_forward", Value: "1"} }

func rule(table, chain, words string) fact.Fact {
	return nat.Rule{On: iptables, Table: table, Chain: chain, Args: strings.Fields(words)}
}

func masquerade() fact.Fact {
	return rule("nat", "POSTROUTING", "-s "+subnet+" ! -o br0 -j MASQUERADE")
}

func door() fact.Fact {
	return rule("filter", "FORWARD", "! -i br0 -o br0 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP")
}

func publish(chain string) fact.Fact {
	return rule("nat", chain, "-d "+uplink+"/32 -p tcp -m tcp --dport 5000 -j DNAT --to-destination 172.18.0.10:5000")
}

func endSteps(s *stage) []step {
	const web = "/run/netns/web"
	return []step{
		{"As if nothing had happened", []part{{
			text:  "What was made is broken again, in reverse. What lives in a namespace, or on a link, goes with it.",
			acts:  []act{undo{}},
			looks: []look{s.unchanged()},
		}}},
		{"The same with cnet", []part{{
			text: "All of this is three lines with cnet: a container; a network with a bridge, addresses, routes, forwarding, masquerade and the door closed; and a port. Each line tells its steps with --explain, and its commands with --dry-run.",
			acts: []act{
				cnet{"create", "web"}, cnet{"connect", "web"}, cnet{"publish", "web", "5000"},
				cnet{"exec", "-d", "web", "--", "cnet", "serve", "--addr", ":5000"},
			},
			looks: []look{
				gets(web, "http://198.51.100.1", client(uplink)),
				gets(world.Outside, "http://203.0.113.2:5000", client(far)),
				gets(host, "http://203.0.113.2:5000", client(uplink)),
				gets(host, "http://127.0.0.1:5000", client("10.77.0.1")),
			},
		}, {
			text:  "And one line takes it all back.",
			acts:  []act{cnet{"reset"}},
			looks: []look{s.unchanged()},
		}}},
	}
}

// cnet is a command line of this program.
type cnet []string

// failing is one that must fail.
type failing []string

func (f failing) do(ctx context.Context, s *stage) ([]string, error) {
	var exit *exec.ExitError
	commands, err := cnet(f).do(ctx, s)
	if err == nil {
		return commands, fail.New(fail.Unmet, commands[0], "it was expected to fail")
	}
	if !errors.As(err, &exit) {
		return nil, err
	}
	return []string{"cnet " + strings.Join(f, " "), fmt.Sprintf("# exit code %d", exit.ExitCode())}, nil
}

func (c cnet) do(ctx context.Context, _ *stage) ([]string, error) {
	const self = "/proc/self/exe"
	args := append([]string(nil), c...)
	for i := range args {
		if args[i] == "cnet" {
			args[i] = self // whatever $PATH leads to
		}
	}
	typed := "cnet " + strings.Join(c, " ")
	if out, err := exec.CommandContext(ctx, self, args...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", typed, err, bytes.TrimSpace(out))
	}
	return []string{typed}, nil
}
