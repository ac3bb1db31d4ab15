package cli

import (
	"fmt"
	"strings"

	"github.com/cnetlab/cnet/internal/ramp"
	"github.com/cnetlab/cnet/internal/topology"
)

// rampPage shows a ramp: a line for each step, which on a terminal is written
// anew while the step lasts.
type rampPage struct {
	app   *app
	names []string
	live  bool
	begun bool
	looks []rampLook // for -o json and yaml
}

// rampLook is a step as data.
type rampLook struct {
	Percent     int               `json:"percent"`
	Weights     []topology.Weight `json:"weights"`
	Connections map[string]uint64 `json:"connections"`
	Tried       int               `json:"tried"`
	Failed      int               `json:"failed"`
}

func (a *app) rampPage(weights []topology.Weight) *rampPage {
	p := &rampPage{app: a, live: styleFor(a.out).on}
	for _, w := range weights {
		p.names = append(p.names, w.Name)
	}
	return p
}

// look shows what was seen of a step so far.
func (p *rampPage) look(l ramp.Look) {
	if p.app.output != "" {
		if l.Done {
			p.looks = append(p.looks, rampLook{l.Percent, l.Weights, l.Given, l.Tried, l.Failed})
		}
		return
	}
	if !p.begun {
		p.begun = true
		fmt.Fprintln(p.app.out, p.head())
	}
	switch line := p.line(l); {
	case p.live && !l.Done:
		fmt.Fprint(p.app.out, line+"\r")
	case l.Done:
		fmt.Fprintln(p.app.out, line)
	}
}

func (p *rampPage) head() string {
	words := []string{"WEIGHT"}
	for _, n := range p.names {
		words = append(words, fmt.Sprintf("%*s", p.width(n), n))
	}
	return strings.Join(append(words, "CONNECTIONS", "FAILED TRIALS"), "  ")
}

func (p *rampPage) width(name string) int { return max(len(name), 6) }

// line has the share that each name was given, of the connections in this step.
func (p *rampPage) line(l ramp.Look) string {
	var sum uint64
	for _, n := range l.Given {
		sum += n
	}
	words := []string{fmt.Sprintf("%5d%%", l.Percent)}
	for _, name := range p.names {
		share := "-"
		if sum > 0 {
			share = fmt.Sprintf("%.1f%%", 100*float64(l.Given[name])/float64(sum))
		}
		words = append(words, fmt.Sprintf("%*s", p.width(name), share))
	}
	words = append(words, fmt.Sprintf("%11d", sum), fmt.Sprintf("%13s", fmt.Sprintf("%d of %d", l.Failed, l.Tried)))
	return strings.Join(words, "  ")
}

// end ends the page.
func (p *rampPage) end() error {
	if p.app.output != "" {
		return p.app.data(append([]rampLook{}, p.looks...))
	}
	return nil
}
