package cli

import (
	"fmt"
	"os/exec"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// version is set when cnet is built: -ldflags "-X .../internal/cli.version=v1.2.3".
var version string

// versionView is what cnet is and what it works with here.
type versionView struct {
	Version  string            `json:"version" yaml:"version"`
	Revision string            `json:"revision,omitempty" yaml:"revision,omitempty"`
	Go       string            `json:"go" yaml:"go"`
	Platform string            `json:"platform" yaml:"platform"`
	Kernel   string            `json:"kernel" yaml:"kernel"`
	Programs map[string]string `json:"programs" yaml:"programs"` // name to path, of those found
}

// programs are those that cnet runs or that the commands it prints need.
var programs = [...]string{"ip", "iptables", "ip6tables", "nft", "sysctl", "conntrack"}

func newVersionCmd(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "version",
		Short: "Show the version of cnet, and what it works with here",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := readVersion()
			if a.output != "" {
				return a.data(v)
			}
			rows := [][]string{{"cnet", v.String()}, {"kernel", v.Kernel}}
			for _, p := range programs {
				path := v.Programs[p]
				if path == "" {
					path = "not found"
				}
				rows = append(rows, []string{p, path})
			}
			return table(a.out, rows)
		},
	}
	a.outputFlag(c)
	return c
}

func (v versionView) String() string {
	s := v.Version
	if v.Revision != "" {
		s += " (" + v.Revision + ")"
	}
	return fmt.Sprintf("%s, %s, %s", s, v.Go, v.Platform)
}

func readVersion() versionView {
	v := versionView{
		Version: buildVersion(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Kernel: "unknown", Programs: make(map[string]string),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		v.Revision = revision(info.Settings)
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		v.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	for _, p := range programs {
		if path, err := exec.LookPath(p); err == nil {
			v.Programs[p] = path
		}
	}
	return v
}

// buildVersion is the version set when cnet was built, or that of its module.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	switch {
	case version != "":
		return version
	case ok && info.Main.Version != "" && info.Main.Version != "(devel)":
		return info.Main.Version
	}
	return "development"
}

// revision is the commit that was built, with a + if there were changes to it.
func revision(settings []debug.BuildSetting) string {
	commit, changed := "", ""
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			commit = s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "+"
		}
	}
	if commit == "" {
		return ""
	}
	return commit + changed
}
