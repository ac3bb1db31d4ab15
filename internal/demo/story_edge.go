package demo

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/cnetlab/cnet/internal/world"
	"github.com/cnetlab/cnet/pkg/netns"
)

// edge is the story of a door that reads what is asked before it opens another.
func edge(s *stage) []step {
	return append(blindSteps(), edgeSteps(s)...)
}

const door8080 = "203.0.113.2:8080"

func blindSteps() []step {
	acts := append(serving("old", "new"), cnet{"label", "old", "app=shop", "version=v1"}, cnet{"label", "new", "app=shop", "version=v2"},
		cnet{"service", "create", "shop", "--network", "lab", "--port", "80", "--selector", "app=shop", "--publish", "8080:80",
			"--weight", "v1=90", "--weight", "v2=10", "--mode", "exact"})
	return []step{
		{"What nat cannot see", []part{{
			text:  "Two versions of a shop, and one call in ten for the new one: the rules of nat do that. But who asks for it by a header is not heard. The rules decide over the first packet of a connection, a SYN, in which nobody has said a word yet.",
			acts:  acts,
			looks: []look{asks{from: world.Outside, at: door8080, count: 20}.get("new 2, old 18")},
		}, {
			looks: []look{asks{from: world.Outside, at: door8080, header: "X-Canary: always", count: 20}.get("new 2, old 18")},
		}}},
	}
}

func edgeSteps(s *stage) []step {
	return []step{
		{"A door that listens first", []part{{
			text: "Who decides by what is said has to take the connection himself, and make another. The edge is such a process, on the host. It knows services, and gives each its part; and who has the header gets what it asks for.",
			acts: []act{
				cnet{"service", "delete", "shop"},
				cnet{"service", "create", "stable", "--network", "lab", "--port", "80", "--backend", "old"},
				cnet{"service", "create", "canary", "--network", "lab", "--port", "80", "--backend", "new"},
				cnet{"edge", "start", "--listen", ":8080"},
				cnet{"edge", "route", "shop.test", "--to", "stable=90", "--to", "canary=10", "--header", "X-Canary=always:canary", "--cookie", "canary=always:canary"},
			},
			looks: []look{
				asks{from: world.Outside, at: door8080, host: "shop.test", count: 100}.get("new 10, old 90"),
				asks{from: world.Outside, at: door8080, host: "shop.test", header: "X-Canary: always", count: 20}.get("new 20"),
				asks{from: world.Outside, at: door8080, host: "shop.test", header: "Cookie: canary=always", count: 20}.get("new 20"),
				asks{from: world.Outside, at: door8080, host: "else.test", count: 5}.get("404 Not Found 5"),
			},
		}}},
		{"By label", []part{{
			text: "A container can ask for requests itself, by its labels. When the command has returned, they come.",
			acts: []act{
				cnet{"create", "blog", "--network", "lab", "--ip", "10.77.0.20", "--label", "edge.host=blog.test"}, serverOf("blog"),
			},
			looks: []look{asks{from: world.Outside, at: door8080, host: "blog.test", count: 5}.get("blog 5")},
		}, {
			acts:  []act{ending{}, cnet{"delete", "blog"}},
			looks: []look{asks{from: world.Outside, at: door8080, host: "blog.test", count: 5}.get("404 Not Found 5")},
		}}},
		{"When one is gone", []part{{
			text: "The canary dies. Nobody who was to be sent there is lost: a call that reached nobody is made elsewhere.",
			acts: []act{
				ending{},
				cnet{"edge", "route", "shop.test", "--to", "stable=50", "--to", "canary=50", "--failover", "stable"},
			},
			looks: []look{asks{from: world.Outside, at: door8080, host: "shop.test", count: 100}.get("old 100")},
		}, {
			acts: []act{cnet{"edge", "stop"}},
			looks: []look{
				asks{from: world.Outside, at: door8080, host: "shop.test", count: 1}.get("ECONNREFUSED 1"),
			},
		}}},
		lastStep(s),
	}
}

// asks are requests with a host and a header, one after the other.
type asks struct {
	from, at, host, header string
	count                  int
}

func (a asks) get(want string) look {
	what := fmt.Sprintf("%s -> http://%s, %d times", short(a.from), a.at, a.count)
	for _, h := range []string{a.host, a.header} {
		if h != "" {
			what += ", " + h
		}
	}
	return look{what, want, func(ctx context.Context, _ string) (string, error) {
		n := make(map[string]int)
		for i := 0; i < a.count && ctx.Err() == nil; i++ {
			who, err := a.ask(ctx)
			if err != nil {
				return "", err
			}
			n[who]++
		}
		return inWords(n), nil
	}}
}

// ask is who answers a request, or how it is refused.
func (a asks) ask(ctx context.Context) (who string, err error) {
	var c net.Conn
	err = netns.Do(a.from, func() (err error) {
		c, err = (&net.Dialer{Timeout: patience}).DialContext(ctx, "tcp", a.at)
		return err
	})
	if err != nil {
		if strings.Contains(err.Error(), "refused") {
			return "ECONNREFUSED", nil
		}
		return "", err
	}
	defer c.Close()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.at+"/", nil)
	if err != nil {
		return "", err
	}
	if a.host != "" {
		r.Host = a.host
	}
	if name, value, ok := strings.Cut(a.header, ": "); ok {
		r.Header.Set(name, value)
	}
	r.Close = true
	if err := r.Write(c); err != nil {
		return "", err
	}
	res, err := http.ReadResponse(bufio.NewReader(c), r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusOK {
		return res.Status, err
	}
	first, _, _ := strings.Cut(string(body), "\n")
	return strings.TrimSpace(strings.TrimPrefix(first, "name")), err
}
