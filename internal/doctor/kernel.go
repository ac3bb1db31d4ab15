package doctor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/cnetlab/cnet/pkg/bridge"
	"github.com/cnetlab/cnet/pkg/nat"
	"github.com/cnetlab/cnet/pkg/netns"
	"github.com/cnetlab/cnet/pkg/veth"
)

// presence of a feature in this kernel.
type presence int

const (
	untold  presence = iota // nothing tells
	present                 // built in, loaded, or there to be loaded
	missing
)

// feature is what networks need of the kernel.
type feature struct {
	module string
	use    string
	try    func(context.Context) error // makes one, in a throw-away namespace
}

func featuresNeeded() []feature {
	v4 := nat.On{Backend: nat.Iptables}
	return []feature{
		{"veth", "cables", func(ctx context.Context) error {
			return veth.Pair{Name: "a", Peer: "b", MTU: 1500}.Make(ctx)
		}},
		{"bridge", "bridges", func(ctx context.Context) error {
			return bridge.Bridge{Name: "br", MTU: 1500}.Make(ctx)
		}},
		{"nf_nat", "address translation", func(ctx context.Context) error {
			return nat.Rule{On: v4, Table: "nat", Chain: "POSTROUTING", Args: []string{"-j", "MASQUERADE"}}.Make(ctx)
		}},
		{"nf_conntrack", "connection tracking", func(ctx context.Context) error {
			return nat.Rule{On: v4, Table: "filter", Chain: "FORWARD",
				Args: []string{"-m", "conntrack", "--ctstate", "NEW", "-j", "ACCEPT"}}.Make(ctx)
		}},
	}
}

// kernelFeatures asks the files of the kernel, and where they say nothing tries
// it in a namespace that ends at once. (There is then no module that trying
// could load.)
func kernelFeatures(ctx context.Context) map[string]presence {
	listed, known := modules()
	found := make(map[string]presence)
	for _, f := range featuresNeeded() {
		_, err := os.Stat("/sys/module/" + f.module)
		switch {
		case err == nil || listed[f.module]:
			found[f.module] = present
		case known:
			found[f.module] = missing
		default:
			found[f.module] = try(f)
		}
	}
	return found
}

func try(f feature) presence {
	// Without the caller's context: what that keeps open is the host's.
	err := netns.Throwaway(func() error { return f.try(context.Background()) })
	switch {
	case err == nil:
		return present
	case errors.Is(err, fs.ErrPermission), errors.Is(err, exec.ErrNotFound):
		return untold
	}
	return missing
}

// modules are those of /lib/modules, built in or loadable (depmod(8)); known is
// whether there is such a folder.
func modules() (listed map[string]bool, known bool) {
	listed = make(map[string]bool)
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return listed, false
	}
	dir := "/lib/modules/" + unix.ByteSliceToString(u.Release[:])
	for _, name := range []string{"modules.builtin", "modules.dep"} {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		known = true
		for s := bufio.NewScanner(f); s.Scan(); {
			path, _, _ := strings.Cut(s.Text(), ":")
			module, _, _ := strings.Cut(filepath.Base(path), ".")
			listed[strings.ReplaceAll(module, "-", "_")] = true
		}
		f.Close()
	}
	return listed, known
}

func features(h host) []Finding {
	var list []Finding
	for _, f := range featuresNeeded() {
		if h.features[f.module] == missing {
			list = append(list, Finding{Severity: Error, About: "kernel", Seen: "modinfo " + f.module,
				Say:    "This kernel has no " + f.module + ": " + f.use + " cannot be made.",
				Advice: "Boot a kernel that has it, or install its package of extra modules."})
		}
	}
	return list
}

// programs that cnet starts, and those that people type.
func programs() map[string]bool {
	have := map[string]bool{
		"iptables":  nat.Available(nat.Iptables, false) == nil,
		"ip6tables": nat.Available(nat.Iptables, true) == nil,
		"nftables":  nat.Available(nat.Nftables, false) == nil, // no program: the kernel's part
	}
	for _, p := range forPeople() {
		for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
			if info, err := os.Stat(filepath.Join(dir, p)); err == nil && info.Mode()&0o111 != 0 {
				have[p] = true
			}
		}
	}
	return have
}

func forPeople() []string { return []string{"ip", "bridge", "sysctl", "nft", "conntrack"} }

// binaries: cnet starts iptables and no other, and that only for networks that
// are kept with it.
func binaries(h host) []Finding {
	var list []Finding
	for _, p := range []struct {
		name string
		ipv6 bool
	}{{"iptables", false}, {"ip6tables", true}} {
		if !h.have[p.name] {
			list = append(list, h.without(p.name, p.ipv6))
		}
	}
	var absent []string
	for _, p := range forPeople() {
		if !h.have[p] {
			absent = append(absent, p)
		}
	}
	if len(absent) > 0 {
		list = append(list, Finding{Severity: Note, About: "programs", Seen: "command -v " + strings.Join(absent, " "),
			Say:  "Not installed: " + strings.Join(absent, ", ") + ". cnet works without; the commands that it prints may not.",
			Mend: "apt-get install iproute2 procps nftables conntrack"})
	}
	return list
}

// without is what it means that a program and its kin are not here.
func (h host) without(name string, ipv6 bool) Finding {
	networks := "networks" + map[bool]string{true: " with IPv6"}[ipv6]
	f := Finding{Severity: Note, About: "programs", Seen: fmt.Sprintf("ls -l $(command -v %[1]s %[1]s-restore %[1]s-save)", name),
		Say: fmt.Sprintf("%[1]s, %[1]s-restore and %[1]s-save are not all here", name)}
	for _, n := range h.own.Topology.Networks {
		if n.Firewall != nat.Nftables && (n.IPv6 || !ipv6) {
			f.Severity = Error
		}
	}
	switch {
	case f.Severity == Note && h.have["nftables"]:
		f.Say, f.Advice = f.Say+": "+networks+" are kept with nftables, which needs no program.", "Nothing."
		return f
	case h.have["nftables"]:
		f.Say, f.Advice = f.Say+": "+networks+" that are kept with them cannot be changed.", "apt-get install iptables; or cnet repair --firewall nftables"
		return f
	case !ipv6:
		f.Severity = Error
	}
	f.Say, f.Mend = f.Say+": "+networks+" cannot be made.", "apt-get install iptables"
	return f
}
