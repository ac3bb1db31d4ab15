package sysctl

import (
	"path/filepath"
	"sort"
	"strings"

	"github.com/cnetlab/cnet/pkg/netns"
)

// drags names the settings that the kernel changes together with another, and
// the value that they then get: a host that forwards does so on every link and
// no longer follows redirects, and the other way round (ip-sysctl.rst in the
// kernel's documentation).
var drags = map[string][]drag{
	"net/ipv4/ip_forward": {
		{"net/ipv4/conf/*/forwarding", func(value string) string { return value }},
		{"net/ipv4/conf/all/accept_redirects", opposite},
	},
	"net/ipv6/conf/all/forwarding": {
		{"net/ipv6/conf/*/forwarding", func(value string) string { return value }},
	},
}

type drag struct {
	pattern string
	gets    func(value string) string
}

func opposite(value string) string {
	if value == "0" {
		return "1"
	}
	return "0"
}

// beside returns the settings that would not be as they are now if the setting
// were changed and then put back.
func (s Setting) beside() (map[string]string, error) {
	odd := make(map[string]string)
	if s.Found == "" || s.Found == plain(s.Value) {
		return nil, nil
	}
	for _, d := range drags[strings.TrimPrefix(s.path(), root)] {
		files, err := s.glob(d.pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range files {
			value, err := Setting{Netns: s.Netns, Name: name}.read()
			if err != nil {
				return nil, err
			}
			if value != d.gets(s.Found) {
				odd[name] = value
			}
		}
	}
	if len(odd) == 0 {
		return nil, nil
	}
	return odd, nil
}

// glob returns the names, with slashes, of the settings that match a pattern.
func (s Setting) glob(pattern string) (names []string, err error) {
	err = netns.Do(s.Netns, func() error {
		files, err := filepath.Glob(root + pattern)
		for _, f := range files {
			names = append(names, strings.TrimPrefix(f, root))
		}
		return err
	})
	return names, err
}

// sides are the settings beside, as facts of the values that they had.
func (s Setting) sides() []Setting {
	list := make([]Setting, 0, len(s.Beside))
	for name, value := range s.Beside {
		list = append(list, Setting{Netns: s.Netns, Name: name, Value: value})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list
}
