package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"

	"github.com/cnetlab/cnet/pkg/fact"
	"github.com/cnetlab/cnet/pkg/nat"
)

// The answers of a server that fails, and of a proxy that spares it.
const (
	fails  = "HTTP 500"
	spares = "HTTP 503"
)

// sidecar is the story of a proxy that a container does not notice.
func sidecar(s *stage) []step {
	return append(shakySteps(), sidecarSteps(s)...)
}

// b1 is what the client calls.
const b1 = "http://10.77.0.11"

// shaky is a server that fails so many of a hundred requests.
func shaky(name string, percent int) act {
	return server{"/run/netns/" + name, name, ":80", fmt.Sprintf("ip netns exec %s cnet serve --addr :80 --fail-rate %d &", name, percent), percent}
}

func shakySteps() []step {
	toProxy := making(handRedirect()...)
	lab := serving("b1")
	return []step{
		{"A server that fails one in five", []part{{
			text:  "A client calls a server that breaks down over one request in five. The kernel sees packets; it cannot see that, and it cannot ask again.",
			acts:  append(lab[:len(lab)-1], shaky("b1", 20)),
			looks: []look{calls{caller, b1, 500, false}.share(map[string]float64{"b1": 0.8, fails: 0.2})},
		}}},
		{"All calls to a port nearby", []part{{
			text:  "What the client calls can be led to a port of its own namespace. Nobody is there yet, so it is refused whatever it calls.",
			acts:  toProxy,
			looks: []look{gets(caller, b1, refused)},
		}, {
			text:  "Who sits there would be led to himself when he calls on: one call would become thousands. So he marks his packets, and the rules let the mark pass. Only who may send raw packets can set one.",
			acts:  []act{undo{keeps: true}},
			looks: []look{calls{caller, b1, 500, false}.share(map[string]float64{"b1": 0.8, fails: 0.2})},
		}}},
	}
}

// handRedirect is what leads the client's calls to a port of its own.
func handRedirect() []fact.Fact {
	on := nat.On{Backend: nat.Iptables, Netns: caller}
	return []fact.Fact{
		nat.Rule{On: on, Table: "nat", Chain: "TO-PROXY"},
		nat.Rule{On: on, Table: "nat", Chain: "TO-PROXY", Args: []string{"-p", "tcp", "-j", "REDIRECT", "--to-ports", "15001"}},
		nat.Rule{On: on, Table: "nat", Chain: "OUTPUT", Args: []string{"-d", "10.77.0.11/32", "-p", "tcp", "-j", "TO-PROXY"}},
	}
}

func sidecarSteps(s *stage) []step {
	return []step{
		{"The same with cnet", []part{{
			text: "A sidecar is these rules, and the process at the port: it asks the kernel where a call was to go, calls there itself, and tries again where the server breaks down and once is as good as twice. Three tries fail one time in 125. The client is the same.",
			acts: []act{cnet{"sidecar", "attach", "client", "--retries", "2"}},
			looks: []look{
				calls{caller, b1, 500, false}.share(map[string]float64{"b1": 0.992, fails: 0.008}),
			},
		}, {
			text:  "Each try is a connection of its own. So the kernel has counted them, too: by the rule that leads to the proxy, and by the one that lets it pass.",
			looks: []look{countsAgree()},
		}}},
		{"A storm", []part{{
			text: "Now the server fails always. With a circuit it is left alone after five failures in a row: two requests meet it, and the others are told at once that it is not asked.",
			acts: []act{
				ending{}, shaky("b1", 100),
				cnet{"sidecar", "attach", "client", "--retries", "2", "--circuit", "5/30s"},
			},
			looks: []look{calls{caller, b1, 100, false}.get(fails + " 2, " + spares + " 98")},
		}}},
		{"Without it", []part{{
			text:  "Taken away, nothing of it is left in the client's namespace.",
			acts:  []act{cnet{"sidecar", "detach", "client"}, ending{}, shaky("b1", 20)},
			looks: []look{calls{caller, b1, 500, false}.share(map[string]float64{"b1": 0.8, fails: 0.2})},
		}}},
		lastStep(s),
	}
}

// countsAgree is that the proxy and the rules have counted the same.
func countsAgree() look {
	return look{"client's tries: as its proxy counts them, and as the rules do", "the same", func(ctx context.Context, _ string) (string, error) {
		out, err := exec.CommandContext(ctx, "/proc/self/exe", "sidecar", "status", "client", "-o", "json").Output()
		if err != nil {
			return "", fmt.Errorf("cnet sidecar status client: %w", err)
		}
		var n struct {
			Status struct{ Requests, Tries int }
			Rules  struct{ Taken, Own int }
		}
		if err := json.Unmarshal(out, &n); err != nil {
			return "", err
		}
		if n.Status.Tries == n.Rules.Own && n.Status.Requests == n.Rules.Taken && n.Status.Tries > n.Status.Requests {
			return "the same", nil
		}
		return fmt.Sprintf("%+v", n), nil
	}}
}
