package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/cnetlab/cnet/internal/hosttest"
)

// asked is what the files of a host say, read without cnet.
type asked struct {
	Container struct {
		Name     string
		Networks []struct{ Network, IP, Interface string }
		Publish  []string
	}
	Network struct{ Name string }
}

// look compares from outside what the files say, the kernel has, and the crowd
// was told.
func (c *crowd) look() {
	c.t.Helper()
	files := c.files()
	var listed, places, kernel []string
	holder := make(map[string]string)
	for _, f := range files {
		if f.Network.Name != "" {
			listed = append(listed, "network "+f.Network.Name)
			continue
		}
		k := f.Container
		listed = append(listed, "container "+k.Name)
		for _, at := range k.Networks {
			places = append(places, fmt.Sprintf("%s %s %s", k.Name, at.Interface, at.IP))
			if other, twice := holder[at.IP]; twice {
				c.t.Errorf("%s and %s both have %s", other, k.Name, at.IP)
			}
			holder[at.IP] = k.Name
		}
	}
	for _, name := range pinned(c) {
		for _, line := range strings.Split(hosttest.Host(c.t, "ip", "-n", name, "-o", "-4", "addr"), "\n") {
			if w := strings.Fields(line); len(w) > 3 && w[1] != "lo" {
				kernel = append(kernel, fmt.Sprintf("%s %s %s", name, w[1], strings.Split(w[3], "/")[0]))
			}
		}
	}
	c.same("created less deleted, and the files", c.expected(), listed)
	c.same("addresses in the files and in the namespaces", places, kernel)
	c.cables(len(places), count(listed, "network "))
	c.rules()
	c.same("DNAT rules, and the ports in the files", ports(files), dnat(c))
	must(c.t, "check")
}

func count(list []string, prefix string) (n int) {
	for _, s := range list {
		if strings.HasPrefix(s, prefix) {
			n++
		}
	}
	return n
}

func (c *crowd) same(what string, want, got []string) {
	c.t.Helper()
	sort.Strings(want)
	sort.Strings(got)
	if diff := cmp.Diff(want, got); diff != "" {
		c.t.Errorf("round %d: %s:\n%s", c.round, what, diff)
	}
}

// expected is what was created and not deleted, as the crowd was told.
func (c *crowd) expected() (names []string) {
	for name, n := range c.want {
		if n < 0 || n > 1 {
			c.t.Errorf("round %d: %s was created %d times more than deleted", c.round, name, n)
		}
		if n == 1 {
			names = append(names, name)
		}
	}
	return names
}

var isObject = regexp.MustCompile(`^/var/lib/cnet/(networks|containers)/[^/]+\.json$`)

// files reads all of cnet's files, which must be whole, with no journal left.
func (c *crowd) files() (list []asked) {
	c.t.Helper()
	for path, text := range cnetFiles(c.t) {
		var f asked
		switch {
		case strings.HasSuffix(path, ".log"):
			continue
		case filepath.Base(path) == "journal.json" || filepath.Base(path) == "commit.json" || strings.HasSuffix(path, ".new"):
			c.t.Errorf("round %d: %s is left", c.round, path)
		case json.Unmarshal([]byte(text), &f) != nil && !strings.Contains(path, "/proc/"):
			c.t.Errorf("round %d: %s cannot be read: %s", c.round, path, text)
		case isObject.MatchString(path):
			list = append(list, f)
		case strings.Contains(path, "/proc/") && c.want["container "+filepath.Base(filepath.Dir(path))] != 1:
			c.t.Errorf("round %d: a process of a container that is not there: %s", c.round, path)
		}
	}
	return list
}

// pinned are the namespaces, which must be those of the containers.
func pinned(c *crowd) (names []string) {
	entries, err := os.ReadDir("/run/netns")
	if err != nil {
		c.t.Fatal(err)
	}
	var want []string
	for _, name := range c.expected() {
		if k, ok := strings.CutPrefix(name, "container "); ok {
			want = append(want, k)
		}
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	c.same("namespaces, and containers", want, names)
	return names
}

// cables counts the host's links: a veth for each place, a bridge for each network.
func (c *crowd) cables(veths, bridges int) {
	c.t.Helper()
	for kind, want := range map[string]int{"veth": veths, "bridge": bridges} {
		out := hosttest.Host(c.t, "ip", "-o", "link", "show", "type", kind)
		if got := strings.Count(out, "\n"); got != want {
			c.t.Errorf("round %d: %d links of type %s, want %d\n%s", c.round, got, kind, want, out)
		}
	}
}

// rules fails the test if a rule stands twice.
func (c *crowd) rules() {
	c.t.Helper()
	for _, save := range []string{"iptables-save", "ip6tables-save"} {
		table, seen := "", make(map[string]bool)
		for _, line := range strings.Split(hosttest.Host(c.t, save), "\n") {
			switch {
			case strings.HasPrefix(line, "*"):
				table = line
			case !strings.HasPrefix(line, "-A"):
			case seen[table+line]:
				c.t.Errorf("round %d: %s: %s: twice %s", c.round, save, table, line)
			}
			seen[table+line] = true
		}
	}
}

var dnatRule = regexp.MustCompile(`(?m)^-A CNET-PUBLISH .*-p (\w+) .*--dport (\S+) .*--comment "cnet (\S+)" -j DNAT`)

var dnatElement = regexp.MustCompile(`(tcp|udp) \. (\d+(?:-\d+)?)(?: counter packets \d+ bytes \d+)? comment "cnet (\S+)"`)

// dnat is the published ports as the IPv4 rules have them, or the maps.
func dnat(c *crowd) (list []string) {
	c.t.Helper()
	if c.backend == viaNftables {
		maps := hosttest.Host(c.t, "sh", "-c", "for m in ports4 bound4 ranges4; do nft list map inet cnet $m 2>/dev/null || true; done")
		for _, m := range dnatElement.FindAllStringSubmatch(maps, -1) {
			list = append(list, fmt.Sprintf("%s %s %s", m[3], m[1], m[2]))
		}
		return list
	}
	for _, m := range dnatRule.FindAllStringSubmatch(hosttest.Host(c.t, "iptables-save", "-t", "nat"), -1) {
		list = append(list, fmt.Sprintf("%s %s %s", m[3], m[1], strings.Replace(m[2], ":", "-", 1)))
	}
	return list
}

// ports is the published ports as the files have them.
func ports(files []asked) (list []string) {
	for _, f := range files {
		for _, p := range f.Container.Publish {
			spec, proto, _ := strings.Cut(p, "/")
			parts := strings.Split(spec, ":") // [address:]port:port
			list = append(list, fmt.Sprintf("%s %s %s", f.Container.Name, proto, parts[len(parts)-2]))
		}
	}
	return list
}
