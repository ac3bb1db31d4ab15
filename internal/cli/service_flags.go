package cli

import (
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cnetlab/cnet/internal/fail"
	"github.com/cnetlab/cnet/internal/topology"
)

// serviceFlags are what create and set say of a service.
type serviceFlags struct {
	cmd       *cobra.Command
	network   string
	vip, vip6 string
	ports     []string
	publish   []string
	backends  []string
	selector  []string
	weights   []string
	groupBy   string
	mode      string
	headless  bool
	affinity  time.Duration
	check     string
	every     time.Duration
	timeout   time.Duration
	failures  int
	passes    int
}

func (f *serviceFlags) add(c *cobra.Command) {
	f.cmd = c
	fl := c.Flags()
	fl.StringVar(&f.network, "network", "", "the `network` of its backends")
	fl.StringVar(&f.vip, "vip", "", "its IPv4 `address` (default: the next free one of "+topology.VIPPool().String()+")")
	fl.StringVar(&f.vip6, "vip6", "", "its IPv6 `address`, on a network that has IPv6")
	fl.StringArrayVar(&f.ports, "port", nil, "a `port` of it: PORT[:BACKENDPORT][/tcp|udp] (may be given again)")
	fl.StringArrayVarP(&f.publish, "publish", "p", nil, "a `port` of the host for it: [HOSTIP:][HOSTPORT:]PORT[/PROTO] (may be given again)")
	fl.StringArrayVar(&f.backends, "backend", nil, "a `container`[:PORT] that answers for it (may be given again)")
	fl.StringArrayVar(&f.selector, "selector", nil, "a `label` KEY=VALUE of containers that answer for it (may be given again; all must match)")
	fl.StringArrayVar(&f.weights, "weight", nil, "the share of a backend or group, a `weight` NAME=NUMBER (may be given again)")
	fl.StringVar(&f.groupBy, "group-by", "", "the `label` whose value names a backend's group (default: "+topology.DefaultGroupBy+")")
	fl.StringVar(&f.mode, "mode", topology.Random, "how to share, a `mode`: random (by chance), or exact (in turn)")
	fl.DurationVar(&f.affinity, "affinity", 0, "keep a client with its backend for this `time`, like 3h (0: do not)")
	fl.BoolVar(&f.headless, "headless", false, "a name only, for the addresses of the backends")
	fl.StringVar(&f.check, "check", "", "ask backends whether they serve: a `check` tcp, http:/PATH, or none")
	fl.DurationVar(&f.every, "every", 0, "how often to ask (default 1s)")
	fl.DurationVar(&f.timeout, "timeout", 0, "how long to wait for an answer (default 1s)")
	fl.IntVar(&f.failures, "failures", 0, "so many in a row, and a backend is out (default 3)")
	fl.IntVar(&f.passes, "passes", 0, "so many in a row, and it is in again (default 1)")
	for flag, words := range map[string][]string{"mode": {topology.Random, topology.Exact}, "check": {"tcp", "http:/", "none"}} {
		_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
}

// parse reads the words of the flags, and returns what puts those that were given
// into a service.
func (f *serviceFlags) parse() (merge func(*topology.Service) error, err error) {
	s := topology.Service{Network: f.network, Headless: f.headless, GroupBy: f.groupBy, Mode: f.mode}
	if s.VIP, err = parseVIP(f.vip, false); err != nil {
		return nil, err
	}
	if s.VIP6, err = parseVIP(f.vip6, true); err != nil {
		return nil, err
	}
	if s.Ports, err = parseAll(f.ports, topology.ParseServicePort); err != nil {
		return nil, err
	}
	if s.Publish, err = parseAll(f.publish, topology.ParsePort); err != nil {
		return nil, err
	}
	if s.Backends, err = parseAll(f.backends, topology.ParseBackend); err != nil {
		return nil, err
	}
	if s.Weights, err = parseAll(f.weights, topology.ParseWeight); err != nil {
		return nil, err
	}
	if s.Selector, err = topology.ParseLabels(unlessNone(f.selector)); err != nil {
		return nil, err
	}
	if s.Affinity, err = seconds(f.affinity); err != nil {
		return nil, err
	}
	if err := positive(f.cmd, "every", "timeout", "failures", "passes"); err != nil {
		return nil, err
	}
	check := topology.Check{Every: text(f.every), Timeout: text(f.timeout), Failures: f.failures, Passes: f.passes}
	if f.check != "" && f.check != "none" {
		c, err := topology.ParseCheck(f.check)
		if err != nil {
			return nil, err
		}
		check.Kind, check.Path = c.Kind, c.Path
	}
	return func(into *topology.Service) error {
		f.merge(into, s)
		return f.mergeCheck(into, check)
	}, nil
}

// merge puts into a service what the flags that were given say.
func (f *serviceFlags) merge(into *topology.Service, s topology.Service) {
	for flag, set := range map[string]func(){
		"network":  func() { into.Network = s.Network },
		"headless": func() { into.Headless = s.Headless },
		"vip":      func() { into.VIP = s.VIP },
		"vip6":     func() { into.VIP6 = s.VIP6 },
		"port":     func() { into.Ports = s.Ports },
		"publish":  func() { into.Publish = s.Publish },
		"backend":  func() { into.Backends = s.Backends },
		"selector": func() { into.Selector = s.Selector },
		"weight":   func() { into.Weights = s.Weights },
		"group-by": func() { into.GroupBy = s.GroupBy },
		"mode":     func() { into.Mode = s.Mode },
		"affinity": func() { into.Affinity = s.Affinity },
	} {
		if f.cmd.Flags().Changed(flag) {
			set()
		}
	}
}

func (f *serviceFlags) mergeCheck(into *topology.Service, check topology.Check) error {
	given := f.cmd.Flags().Changed
	switch {
	case f.check == "none":
		into.Check = nil
		return nil
	case !given("check") && !given("every") && !given("timeout") && !given("failures") && !given("passes"):
		return nil
	case into.Check == nil && check.Kind == "":
		return fail.New(fail.Usage, "service "+into.Name, "it has no check").Try("--check tcp, or --check http:/healthz")
	}
	c := topology.Check{}
	if into.Check != nil {
		c = *into.Check
	}
	if given("check") {
		c.Kind, c.Path = check.Kind, check.Path
	}
	override(&c.Every, check.Every)
	override(&c.Timeout, check.Timeout)
	override(&c.Failures, check.Failures)
	override(&c.Passes, check.Passes)
	into.Check = &c
	return nil
}

// override sets a value to the one given, if one is.
func override[T comparable](value *T, given T) {
	var nothing T
	if given != nothing {
		*value = given
	}
}

// parseAll reads words of one form; the single word none is no word.
func parseAll[T any](words []string, parse func(string) (T, error)) ([]T, error) {
	words = unlessNone(words)
	list := make([]T, 0, len(words))
	for _, w := range words {
		v, err := parse(w)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func unlessNone(words []string) []string {
	if len(words) == 1 && words[0] == "none" {
		return nil
	}
	return words
}

func parseVIP(s string, ipv6 bool) (netip.Addr, error) {
	if s == "" {
		return netip.Addr{}, nil
	}
	return topology.ParseVIP(s, ipv6)
}

func seconds(d time.Duration) (int, error) {
	if d%time.Second != 0 {
		return 0, fail.New(fail.Usage, "--affinity "+d.String(), "it is counted in whole seconds").Try("--affinity 3h")
	}
	return int(d / time.Second), nil
}

// text is a time as it is written down; none is empty. "1m0s" is "1m".
func text(d time.Duration) string {
	if d == 0 {
		return ""
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	return s
}
